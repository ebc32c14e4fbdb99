import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models import resnet50
from models.bundle import INT8, NETWORK, Bundle
from models.cache import private_folder
from models.engines import open_engine, openvino, tensorflow_graph
from models.engines.gpu import gpu_present
from models.engines.ladder import rungs, steps
from models.engines.openvino import OpenVinoEngine
from models.engines.openvino_graph import convert, convert_bundle, load_openvino
from models.engines.tensorflow import TensorFlowEngine, load_tensorflow, multiplies_bfloat16
from models.engines.tensorflow_graph import mix_float16
from models.errors import EngineError
from models.images.decode import Pixels
from tests.models.conftest import Random, Toy

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(scope="module")
def engine(shipped: Bundle) -> TensorFlowEngine:
    return TensorFlowEngine(shipped, 32, "float32")


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
    monkeypatch.setattr(engine, "_threads", None)
    monkeypatch.setattr(engine, "_run", small)
    np.testing.assert_allclose(engine.logits(pictures), expected, atol=1e-3)
    assert engine.ladder == (1, 2)
    assert engine.largest == 2
    assert seen == [8, 4, 2, 2, 1]


def test_the_last_map_is_the_networks_and_only_made_ready_when_asked_for(
    toy: Toy, pixels: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace, made = tensorflow_graph.trace, []

    def noted(network: Any) -> Any:
        made.append(network.output.shape)
        return trace(network)

    monkeypatch.setattr(tensorflow_graph, "trace", noted)
    engine, pictures = TensorFlowEngine(toy("linear"), 4, "float32"), pixels(7, 32)
    logits = engine.logits(pictures)
    assert made == [(None, 1)]
    maps = engine.last_map(pictures)
    assert maps.shape == (7, 8, 8, 8)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, last_map(toy("linear"), pictures), atol=1e-4)
    np.testing.assert_array_equal(engine.last_map(pictures), maps)
    np.testing.assert_array_equal(engine.logits(pictures), logits)
    assert made == [(None, 1), (None, 8, 8, 8)]


def test_the_last_map_too_is_made_of_smaller_batches_when_memory_runs_out(
    toy: Toy, pixels: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = load_tensorflow()
    engine, pictures = TensorFlowEngine(toy("linear"), 4, "float32"), pixels(5, 32)
    expected, run = engine.last_map(pictures), engine._run_to_map

    def small(chunk: Pixels) -> Any:
        if len(chunk) > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return run(chunk)

    monkeypatch.setattr(engine, "_run_to_map", small)
    np.testing.assert_allclose(engine.last_map(pictures), expected, atol=1e-5)
    assert engine.ladder == (1, 2)


def test_openvinos_last_map_is_laid_out_as_keras_does_and_only_compiled_when_asked_for(
    toy: Toy, pixels: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_, compiled = OpenVinoEngine._compile, []

    def noted(engine: OpenVinoEngine, *outputs: str) -> Any:
        compiled.append(outputs)
        return compile_(engine, *outputs)

    monkeypatch.setattr(OpenVinoEngine, "_compile", noted)
    engine, pictures = OpenVinoEngine(toy("linear"), 4), pixels(7, 32)
    logits = engine.logits(pictures)
    assert compiled == [()]
    maps = engine.last_map(pictures)
    assert maps.shape == (7, 8, 8, 8)
    assert maps.dtype == np.float32
    expected = last_map(toy("linear"), pictures)
    np.testing.assert_allclose(maps, expected, atol=0.02 * expected.max())  # bfloat16 where the CPU has AMX
    engine.last_map(pictures)
    np.testing.assert_array_equal(engine.logits(pictures), logits)
    assert compiled == [(), (resnet50.LAST_MAP,)]


def test_an_openvino_model_that_does_not_name_its_last_map_is_told(toy: Toy, tmp_path: Path) -> None:
    bundle = toy("linear")
    model = convert(bundle.load_network())
    for step in model.get_ops():
        for output in step.outputs():
            output.get_tensor().set_names(output.get_names() - {resnet50.LAST_MAP})
    load_openvino().save_model(model, tmp_path / INT8)
    shutil.copy(bundle.folder / NETWORK, tmp_path)
    engine = OpenVinoEngine(Bundle.write(tmp_path, bundle.card), 1)
    assert engine.logits(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1,)
    with pytest.raises(EngineError, match=r"int8\.xml is an older model .* train the bundle again"):
        engine.last_map(np.zeros((1, 32, 32, 3), np.uint8))


def test_auto_falls_back_to_tensorflow_and_says_why_in_one_line(
    toy: Toy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = toy("linear")
    assert open_engine("auto", bundle, 1).name.startswith("openvino")
    assert not caplog.records
    shutil.copytree(bundle.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / INT8).write_text("not a model")
    broken = Bundle.write(tmp_path, bundle.card)
    assert open_engine("auto", broken, 1).name.startswith("tensorflow")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("foodsort", "WARNING")
    message = record.getMessage()
    assert message.startswith(f"OpenVINO cannot run {tmp_path / INT8}: ")
    assert message.endswith("; set model.engine to tensorflow; using TensorFlow instead")
    assert "\n" not in message
    with pytest.raises(EngineError, match=r"OpenVINO cannot run"):
        open_engine("openvino", broken, 1)


def test_openvino_that_does_not_load_is_told(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = toy("linear")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match="OpenVINO cannot be loaded"):
        open_engine("openvino", bundle, 1)
    assert open_engine("auto", bundle, 1).name.startswith("tensorflow")


def test_openvino_reports_its_use_to_nobody() -> None:
    code = (
        "import sys; from models.engines.openvino_graph import load_openvino; load_openvino()\n"
        "assert sys.modules['openvino'] and not any(sys.modules[name] for name in sys.modules if 'openvino_tele' in name)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_openvino_refuses_in_the_middle_of_the_work_is_told(toy: Toy) -> None:
    with pytest.raises(EngineError, match=r"OpenVINO cannot run .*; set model\.engine to tensorflow$"):
        OpenVinoEngine(toy("linear"), 1).logits(np.zeros((1, 32, 16, 3), np.uint8))


@pytest.mark.parametrize("kind", [OpenVinoEngine, TensorFlowEngine])
def test_pictures_of_a_side_without_a_head_are_refused(
    cascaded: Bundle, kind: type[OpenVinoEngine | TensorFlowEngine]
) -> None:
    with pytest.raises(EngineError, match="takes pictures of 32 or 16 px, not of 8"):
        kind(cascaded, 1).logits(np.zeros((1, 8, 8, 3), np.uint8))


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
    network = resnet50.build()
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


@pytest.mark.parametrize(
    ("flags", "expected"), [("avx2 avx512f", False), ("avx2 avx512_bf16", True), ("amx_tile amx_bf16 amx_int8", True)]
)
def test_bfloat16_is_for_cpus_that_multiply_it(tmp_path: Path, flags: str, expected: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    assert not multiplies_bfloat16(cpuinfo)
    cpuinfo.write_text(f"model name\t: a CPU\nflags\t\t: fpu {flags} sse2\n")
    assert multiplies_bfloat16(cpuinfo) is expected


def last_map(bundle: Bundle, pictures: Pixels) -> npt.NDArray[np.float32]:
    import keras

    network = bundle.load_network()
    return np.asarray(keras.Model(network.input, network.get_layer(resnet50.LAST_MAP).output)(pictures))


def test_engines_are_opened_by_name(shipped: Bundle, plain: Bundle) -> None:
    assert open_engine("scripted", shipped, 8).name == "scripted"
    assert open_engine("openvino", shipped, 1).name.startswith("openvino int8")
    with pytest.raises(EngineError, match=r"set model\.engine to auto or tensorflow"):
        open_engine("openvino", plain, 8)


def test_the_scripted_engine_tells_red_from_blue(shipped: Bundle) -> None:
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    pictures[0, ..., 0] = 80
    pictures[1, ..., 2] = 80
    engine = open_engine("scripted", shipped, 8)
    assert engine.logits(pictures).tolist() == [10.0, -10.0]
    with pytest.raises(EngineError, match="scripted engine has no feature map"):
        engine.last_map(pictures)


def test_openvino_runs_as_many_batches_at_a_time_as_it_has_streams(shipped: Bundle, pixels: Random) -> None:
    engine, pictures = OpenVinoEngine(shipped, 8), pixels(24)
    expected = engine.logits(pictures)
    assert engine.streams == engine._requests.qsize()
    with ThreadPoolExecutor(engine.streams) as threads:
        found = list(threads.map(lambda _: engine.logits(pictures), range(2 * engine.streams)))
    for logits in found:
        np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_float32_is_converted_once_and_agrees_with_keras(
    toy: Toy, pixels: Random, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    made = []

    def noted(bundle: Bundle) -> Any:
        made.append(bundle)
        return convert_bundle(bundle)

    monkeypatch.setattr(openvino, "convert_bundle", noted)
    bundle, pictures = toy("linear"), pixels(3, 32)
    expected = np.asarray(bundle.load_network()(pictures))[:, 0]
    for _ in range(2):
        engine = open_engine("auto", bundle, 4, "float32")
        assert engine.name.startswith("openvino float32")
        np.testing.assert_allclose(engine.logits(pictures), expected, atol=1e-5)
    assert engine.last_map(pictures).shape == (3, 8, 8, 8)
    assert len(made) == 1
    (weights,) = cache.rglob("*.bin")
    weights.write_bytes(b"damaged")
    np.testing.assert_allclose(open_engine("auto", bundle, 4, "float32").logits(pictures), expected, atol=1e-5)
    assert len(made) == 2
    assert len(weights.read_bytes()) > 7


def test_a_cache_that_others_may_write_to_is_not_believed(toy: Toy, cache: Path) -> None:
    OpenVinoEngine(toy("linear"), 1, "float32")
    (folder,) = {path.parent for path in cache.rglob("*.bin")}
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert private_folder(folder.name) is None
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.with_name("moved"))
    assert private_folder(folder.name) is None


def test_float32_goes_without_a_cache_where_there_can_be_none(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "file"))
    assert OpenVinoEngine(toy("linear"), 1, "float32").logits(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1,)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", ["tensorflow", "openvino", "openvino float32"])
@pytest.mark.parametrize("side", [32, 16])
def test_an_engine_gives_the_logits_of_the_head_for_the_side(
    cascaded: Bundle, pixels: Random, kind: str, side: int, cache: Path
) -> None:
    name, _, precision = kind.partition(" ")
    engine = open_engine(name, cascaded, 32, precision or "auto")  # type: ignore[arg-type]  # parts of a text
    pictures = pixels(40, side)
    expected = np.asarray(cascaded.load_network()(pictures))[:, cascaded.sides.index(side)]
    # Some processors compute in bfloat16, which has eight bits.
    np.testing.assert_allclose(engine.logits(pictures), expected, atol=1e-3 if precision else 0.05)
    assert np.ptp(expected) > 0.2


def test_small_pictures_come_in_larger_batches(cascaded: Bundle) -> None:
    assert OpenVinoEngine(cascaded, 64).largest == 32
    assert OpenVinoEngine(cascaded, 16).largest == 16
    assert OpenVinoEngine(cascaded.without_cascade(), 64).largest == 8


def test_a_converted_network_has_no_output_but_its_logits(cascaded: Bundle) -> None:
    (logits,) = convert(cascaded.load_network()).outputs
    assert logits.get_partial_shape()[1].get_length() == 2
