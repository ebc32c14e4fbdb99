"""Engines on a GPU, for which one of two logical devices on the CPU stands in, and the fallback to the CPU."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from models import engines
from models.bundle import Bundle
from models.engines import open_engine, tensorflow, tensorflow_graph
from models.engines.base import Logits
from models.engines.fallback import FallbackEngine
from models.engines.scripted import ScriptedEngine
from models.errors import EngineError
from models.images.decode import Pixels
from tests.models.conftest import Toy

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

# In a process of its own: TensorFlow divides the CPU before its first use or never.
_TRIAL = """
import json, sys
from pathlib import Path
import numpy as np
from models.bundle import Bundle
from models.engines import tensorflow_graph
from models.engines.tensorflow import TensorFlowEngine, load_tensorflow

tf = load_tensorflow()
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
places, traces = [], []
trace = tensorflow_graph.trace

def noted(network, *, compiled=False):
    places.extend(variable.value.device for variable in network.weights)
    run = trace(network, compiled=compiled)
    def seen(pixels):
        answer = run(pixels)
        places.append(answer.device)
        traces.append((compiled, run.experimental_get_tracing_count()))
        return answer
    return seen

tensorflow_graph.trace = noted
engine = TensorFlowEngine(Bundle.load(Path(sys.argv[1])), 6, "auto", "CPU:1")
pixels = np.load(sys.argv[2])
print(json.dumps({
    "logits": engine.logits(pixels).tolist(), "dtype": str(engine.logits(pixels).dtype), "ladder": engine.ladder,
    "streams": engine.streams, "places": sorted({place.rpartition("/")[2] for place in places}), "last": traces[-1],
    "maps": engine.last_map(pixels).shape,
}))
"""


def test_a_gpu_holds_the_weights_runs_compiled_and_is_traced_once(toy: Toy, tmp_path: Any) -> None:
    bundle = toy("curved")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    command = [sys.executable, "-c", _TRIAL, str(bundle.folder), str(tmp_path / "pixels.npy")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert not ended.returncode, ended.stderr
    said = json.loads(ended.stdout)
    assert said["places"] == ["device:CPU:1"]
    assert said["last"] == [True, 1]
    assert (said["ladder"], said["streams"], said["dtype"]) == ([1, 2, 4, 6], 2, "float32")
    assert said["maps"] == [9, 8, 8, 8]
    expected = np.asarray(bundle.load_network()(pixels))[:, 0]
    assert not np.array_equal(said["logits"], expected)  # float16 on the way
    np.testing.assert_allclose(said["logits"], expected, atol=0.02)


def test_without_xla_the_network_runs_as_it_is_and_the_log_says_why(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tf = tensorflow.load_tensorflow()
    trace = tensorflow_graph.trace

    def without(network: Any, *, compiled: bool = False) -> Any:
        def fails(_: Pixels) -> Any:
            raise tf.errors.InternalError(None, None, "libdevice not found\nat ./libdevice.10.bc")

        return fails if compiled else trace(network)

    monkeypatch.setattr(tensorflow_graph, "trace", without)
    engine = tensorflow.TensorFlowEngine(toy("linear"), 2, "float32", "CPU:0")
    pixels = np.zeros((3, 32, 32, 3), np.uint8)
    np.testing.assert_allclose(engine.logits(pixels), np.asarray(toy("linear").load_network()(pixels))[:, 0], atol=1e-4)
    assert [record.getMessage() for record in caplog.records if record.name == "foodsort"] == [
        "XLA failed; the network runs without it, more slowly: libdevice not found at ./libdevice.10.bc"
    ]


def test_two_batches_that_run_out_of_memory_together_drop_one_size(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    tf = tensorflow.load_tensorflow()
    engine = tensorflow.TensorFlowEngine(toy("linear"), 8, "float32", "CPU:0")
    run, both = engine._run, threading.Barrier(2)

    def small(pixels: Pixels) -> Any:
        if len(pixels) > 4:
            both.wait()
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return run(pixels)

    pixels = np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3), np.uint8)
    expected = engine.logits(pixels)
    monkeypatch.setattr(engine, "_run", small)
    with ThreadPoolExecutor(2) as threads:
        for logits in threads.map(engine.logits, [pixels, pixels]):
            np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert engine.ladder == (1, 2, 4)


class Failing(ScriptedEngine):
    """Stands for a GPU that gives up when both its batches are on it."""

    name = "tensorflow gpu"
    streams = 2

    def __init__(self) -> None:
        self.alive = True
        self.both = threading.Barrier(2)

    def logits(self, pixels: Pixels) -> Logits:
        if self.alive:
            return super().logits(pixels)
        self.both.wait()
        raise EngineError("tensorflow gpu has failed: CUDA_ERROR_LAUNCH_FAILED")


def test_both_batches_on_a_gpu_that_gives_up_are_run_by_one_engine_on_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    opened = []

    def open_on_cpu() -> ScriptedEngine:
        opened.append(ScriptedEngine())
        return opened[-1]

    gpu = Failing()
    engine = FallbackEngine(gpu, open_on_cpu)
    pixels = np.full((2, 8, 8, 3), (80, 0, 0), np.uint8)
    assert engine.logits(pixels).tolist() == [10.0, 10.0]
    assert (engine.name, opened) == ("tensorflow gpu", [])
    gpu.alive = False
    with ThreadPoolExecutor(2) as threads:
        assert [found.tolist() for found in threads.map(engine.logits, [pixels, pixels])] == [[10.0, 10.0]] * 2
    assert engine.name == "scripted, since the GPU has failed"
    assert (len(opened), engine.largest) == (1, opened[0].largest)
    (record,) = caplog.records
    assert record.getMessage() == (
        "tensorflow gpu has failed: CUDA_ERROR_LAUNCH_FAILED; using the CPU until the next start"
    )


def test_when_the_cpu_gives_up_too_its_error_is_told() -> None:
    gpu = Failing()
    engine = FallbackEngine(gpu, ScriptedEngine)
    with pytest.raises(EngineError, match="no feature map"):
        engine.last_map(np.zeros((1, 8, 8, 3), np.uint8))


def test_a_gpu_that_fails_under_tensorflow_hands_over_to_openvino(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    tf = tensorflow.load_tensorflow()
    monkeypatch.setattr(engines, "gpu_present", lambda: True)
    monkeypatch.setattr(tensorflow, "first_gpu", lambda: "CPU:0")
    engine = open_engine("auto", toy("linear"), 2)
    assert isinstance(engine, FallbackEngine)
    pixels = np.zeros((3, 32, 32, 3), np.uint8)
    expected = engine.logits(pixels)

    def lost(_: Pixels) -> Any:
        raise tf.errors.InternalError(None, None, "GPU is lost")

    monkeypatch.setattr(engine._engine, "_run", lost)
    np.testing.assert_allclose(engine.logits(pixels), expected, atol=0.05)
    assert engine.name.startswith("openvino")
    assert engine.name.endswith(", since the GPU has failed")


def test_a_gpu_that_tensorflow_cannot_use_leaves_the_work_to_the_cpu(
    shipped: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "gpu_present", lambda: True)
    monkeypatch.setattr(tensorflow, "first_gpu", lambda: None)
    assert open_engine("auto", shipped, 1).name.startswith("openvino")
    assert "TensorFlow cannot use the GPU" in caplog.text
