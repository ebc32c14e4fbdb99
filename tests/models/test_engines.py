from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import resnet50
from models.bundle import Bundle
from models.engines import open_engine, tensorflow
from models.engines.gpu import gpu_present
from models.engines.ladder import rungs, steps
from models.engines.tensorflow import TensorFlowEngine, load_tensorflow, mix_float16
from models.errors import EngineError
from models.images import Pixels
from tests.models.conftest import Random

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def engine(shipped: Bundle) -> TensorFlowEngine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensorflow, "_use_gpus", lambda _: False)  # a GPU's float16 would not agree as closely
        return TensorFlowEngine(shipped, 32)


@pytest.mark.parametrize(
    ("top", "expected"), [(1, (1,)), (2, (1, 2)), (8, (1, 2, 4, 8)), (6, (1, 2, 4, 6)), (32, (1, 2, 4, 8, 16, 32))]
)
def test_rungs_are_few_and_reach_the_top(top: int, expected: tuple[int, ...]) -> None:
    assert rungs(top) == expected


@pytest.mark.parametrize("top", [1, 2, 6, 8, 32])
def test_any_number_of_photos_is_run_and_at_most_half_of_a_rung_is_padding(top: int) -> None:
    ladder = rungs(top)
    for n in range(1, 100):
        plan = list(steps(n, ladder))
        assert sum(photos for photos, _ in plan) == n
        assert all(rung in ladder and rung / 2 < photos <= rung for photos, rung in plan)


@pytest.mark.parametrize("photos", [1, 3, 8, 11])
def test_tensorflow_says_what_the_network_says(
    engine: TensorFlowEngine, network: Any, pixels: Random, photos: int
) -> None:
    pictures = pixels(photos)
    logits = engine.logits(pictures)
    assert logits.shape == (photos,)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, np.asarray(network(pictures))[:, 0], atol=1e-3)


def test_every_batch_size_of_the_ladder_up_to_the_cpus_best_is_tried(engine: TensorFlowEngine) -> None:
    assert engine.name == "tensorflow cpu"
    assert engine.ladder == (1, 2, 4, 8)
    assert engine.largest == 8


def test_a_photos_logit_does_not_depend_on_its_batch(engine: TensorFlowEngine, pixels: Random) -> None:
    pictures = pixels(5)
    alone = np.concatenate([engine.logits(pictures[index : index + 1]) for index in range(5)])
    np.testing.assert_allclose(engine.logits(pictures), alone, atol=1e-3)


def test_out_of_memory_makes_batches_smaller_and_loses_nothing(
    engine: TensorFlowEngine, pixels: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = load_tensorflow()
    run, seen = engine._run, []

    def small(pictures: Pixels) -> Any:
        seen.append(len(pictures))
        if len(pictures) > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return run(pictures)

    pictures = pixels(5)
    expected = engine.logits(pictures)
    monkeypatch.setattr(engine, "ladder", (1, 2, 4, 8))
    monkeypatch.setattr(engine, "_run", small)
    np.testing.assert_allclose(engine.logits(pictures), expected, atol=1e-3)
    assert engine.ladder == (1, 2)
    assert engine.largest == 2
    assert seen == [8, 4, 2, 2, 1]


def test_no_room_for_one_photo_is_an_error_that_says_what_to_do(
    engine: TensorFlowEngine, pixels: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = load_tensorflow()

    def none(_: Pixels) -> Any:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(engine, "ladder", engine.ladder)
    monkeypatch.setattr(engine, "_run", none)
    with pytest.raises(EngineError, match="too little free memory"):
        engine.logits(pixels(1))


def test_mixed_precision_computes_in_float16_and_answers_in_float32(pixels: Random) -> None:
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = resnet50.build(64)
    plain = np.asarray(network(pixels(2, 64)))
    mix_float16(network)
    assert {variable.dtype for variable in network.variables} == {"float32"}
    assert network.get_layer("conv5_block3_3_conv").compute_dtype == "float16"
    mixed = np.asarray(network(pixels(2, 64)))
    assert mixed.dtype == np.float32
    assert not np.array_equal(mixed, plain)
    np.testing.assert_allclose(mixed, plain, atol=0.03)


def test_a_gpu_is_present_when_its_device_node_is(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    assert not gpu_present(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert gpu_present(tmp_path)
    (tmp_path / "nvidia0").rename(tmp_path / "kfd")
    assert gpu_present(tmp_path)


def test_engines_are_opened_by_name(shipped: Bundle) -> None:
    assert open_engine("scripted", shipped, 8).name == "scripted"
    with pytest.raises(EngineError, match=r"set model\.engine to auto or tensorflow"):
        open_engine("openvino", shipped, 8)


def test_the_scripted_engine_tells_red_from_blue(shipped: Bundle) -> None:
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    pictures[0, ..., 0] = 80
    pictures[1, ..., 2] = 80
    assert open_engine("scripted", shipped, 8).logits(pictures).tolist() == [10.0, -10.0]
