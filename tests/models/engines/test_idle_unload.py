import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.bundle import Bundle
from models.engines import open_engine
from models.engines.base import Engine, Logits
from models.engines.idle_unload import IdleUnloadingEngine
from models.engines.scripted import ScriptedEngine
from models.errors import BundleError
from models.images.decode import Pixels

PIXELS = np.full((2, 8, 8, 3), (80, 0, 0), np.uint8)


def test_an_idle_engine_is_unloaded_and_loaded_once_for_concurrent_calls(shipped: Bundle) -> None:
    opened: list[Engine] = []

    def reopen() -> Engine:
        opened.append(open_engine("openvino", shipped, 1))
        return opened[-1]

    first = open_engine("openvino", shipped, 1)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    expected = first.logits(pixels)
    engine, kept = IdleUnloadingEngine(first, reopen, 0.0), weakref.ref(first)
    name = engine.name
    del first
    assert engine.unload_if_idle()
    assert kept() is None
    assert engine.name == f"{name}, unloaded"
    assert not engine.unload_if_idle()
    with ThreadPoolExecutor(4) as threads:
        for logits in threads.map(engine.logits, [pixels] * 4):
            np.testing.assert_allclose(logits, expected, atol=1e-3)
    assert len(opened) == 1
    assert engine.name == name


def test_a_busy_engine_stays_loaded() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(ScriptedEngine):
        def logits(self, pixels: Pixels) -> Logits:
            begun.set()
            go_on.wait()
            return super().logits(pixels)

    engine = IdleUnloadingEngine(Slow(), ScriptedEngine, 0.0)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(engine.logits, PIXELS)
        begun.wait()
        assert not engine.unload_if_idle()
        go_on.set()
        assert call.result().tolist() == [10.0, 10.0]
    assert engine.unload_if_idle()


def test_an_engine_is_unloaded_only_after_its_idle_time() -> None:
    engine = IdleUnloadingEngine(ScriptedEngine(), ScriptedEngine, 3600.0)
    assert not engine.unload_if_idle()
    assert engine.logits(PIXELS).tolist() == [10.0, 10.0]


def test_a_failed_load_raises_and_is_tried_again() -> None:
    def gone() -> Engine:
        raise BundleError("the bundle is gone")

    engine = IdleUnloadingEngine(ScriptedEngine(), gone, 0.0)
    assert engine.unload_if_idle()
    for _ in range(2):
        with pytest.raises(BundleError, match="gone"):
            engine.logits(PIXELS)
