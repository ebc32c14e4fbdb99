import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from models.bundle import HEADS, NETWORK, Bundle
from models.cascade import look
from models.engines import open_engine
from models.errors import BundleError, EngineError
from models.features import FeatureExtractor, logits_by_side, logits_of
from models.head import Head, save_heads
from tests.models.conftest import Random, Toy, make_head

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def test_positions_give_the_logits_of_an_engine(cascaded: Bundle, pixels: Random) -> None:
    photos = pixels(11, 32)
    positions = FeatureExtractor(cascaded).positions(photos)
    assert {side: (one.shape, str(one.dtype)) for side, one in positions.items()} == {
        32: ((11, 5), "float16"),
        16: ((11, 5), "float16"),
    }
    engine = open_engine("openvino", cascaded, 8)
    for bundle in (cascaded, cascaded.without_cascade()):
        looks = look(engine.logits, photos, bundle.card.cascade)
        found = logits_of(bundle.heads, positions, bundle.card.cascade)
        np.testing.assert_allclose(found, looks.logits, atol=0.1)


def test_the_shipped_model_judges_photos_by_their_positions_as_its_engine_does(shipped: Bundle, pixels: Random) -> None:
    photos = pixels(9)
    positions = FeatureExtractor(shipped).positions(photos)
    found = logits_of(shipped.heads, positions, None)
    # An engine may compute the heads in bfloat16.
    np.testing.assert_allclose(found, open_engine("openvino", shipped, 8).logits(photos), atol=0.4)


def test_a_look_at_the_small_side_decides_where_it_is_sure(cascaded: Bundle) -> None:
    random = np.random.default_rng(1)
    positions = {side: random.normal(0, 1, (5000, 5)).astype(np.float16) for side in (32, 16)}
    both = logits_by_side(cascaded.heads, positions)
    assert cascaded.card.cascade is not None
    expected = np.where(abs(both[:, 1]) < cascaded.card.cascade.margin, both[:, 0], both[:, 1])
    np.testing.assert_array_equal(logits_of(cascaded.heads, positions, cascaded.card.cascade), expected)
    for side, column in zip((32, 16), both.T, strict=True):
        np.testing.assert_allclose(
            cascaded.heads[side].logits_at(positions[side].astype(np.float32)), column, rtol=1e-4, atol=1e-4
        )


def test_no_photos_have_no_positions(cascaded: Bundle) -> None:
    positions = FeatureExtractor(cascaded).positions(np.zeros((0, 32, 32, 3), np.uint8))
    assert {one.shape for one in positions.values()} == {(0, 5)}
    assert logits_of(cascaded.heads, positions, cascaded.card.cascade).shape == (0,)


def test_other_kernels_keep_the_digest_and_other_projections_change_it(
    cascaded: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = cascaded.heads
    digest = FeatureExtractor(cascaded).digest
    same_projection = {side: _with_projection(make_head(3), first[side]) for side in first}
    for heads, is_same in ((same_projection, True), ({32: make_head(3), 16: make_head(4)}, False)):
        folder = tmp_path_factory.mktemp("other")
        for name in cascaded.card.files:
            (folder / name).symlink_to(cascaded.path(name).resolve())
        (folder / HEADS).unlink()
        save_heads(folder / HEADS, heads)
        assert (FeatureExtractor(Bundle.write(folder, cascaded.card)).digest == digest) is is_same


def _with_projection(head: Head, other: Head) -> Head:
    return dataclasses.replace(head, components=other.components, offset=other.offset)


def test_a_bundle_of_an_old_format_is_refused(toy: Toy) -> None:
    with pytest.raises(BundleError, match=r"before 0\.10, whose head cannot be fitted again"):
        FeatureExtractor(toy("linear"))


def test_a_bundle_without_an_int8_model_runs_by_tensorflow(plain: Bundle, shipped: Bundle, pixels: Random) -> None:
    extractor = FeatureExtractor(plain)
    assert extractor.digest != FeatureExtractor(shipped).digest
    found = logits_of(plain.heads, extractor.positions(pixels(2)), None)
    np.testing.assert_allclose(found, open_engine("tensorflow", plain, 2).logits(pixels(2)), atol=0.4)


def test_without_tensorflow_such_a_bundle_is_refused(plain: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr("models.engines.tensorflow.load_tensorflow", missing)
    with pytest.raises(EngineError, match="has no OpenVINO model, and TensorFlow"):
        FeatureExtractor(plain)


def test_a_network_that_is_none_is_named(cascaded: Bundle, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("broken")
    for name in (NETWORK, HEADS, "int8.bin"):
        (folder / name).symlink_to(cascaded.path(name).resolve())
    (folder / "int8.xml").write_text("<net/>")
    with pytest.raises(EngineError, match=r"OpenVINO cannot run .*int8\.xml"):
        FeatureExtractor(Bundle.write(folder, cascaded.card))


def test_neither_tensorflow_nor_keras_is_imported() -> None:
    program = """
import sys
import numpy as np
from models.bundle import Bundle
from models.feature_store import FeatureStore
from models.features import FeatureExtractor
FeatureExtractor(Bundle.load()).positions(np.zeros((1, 224, 224, 3), np.uint8))
print(sorted({"tensorflow", "keras", "pandas", "sklearn"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == "[]\n"
