import dataclasses
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from models import Precision, resnet50
from models.bundle import BANK, HEADS, INT8, INT8_WEIGHTS, NETWORK, Bundle, file_sha256, folder_name, save_network
from models.engines import open_engine
from models.engines.tensorflow import load_tensorflow
from models.errors import BundleError
from models.head import save_heads
from models.images.decode import Fit
from tests.models.conftest import Random

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture
def copy(shipped: Bundle, tmp_path: Path) -> Path:
    """A copy of the shipped bundle to tamper with."""
    shutil.copytree(shipped.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("__*"))
    return tmp_path / "copy"


def change_card(folder: Path, **values: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | values))


def test_the_bundle_that_ships_is_whole_and_good_enough(shipped: Bundle) -> None:
    card = shipped.card
    assert card.classes == ("non_food", "food")
    assert card.fit == Fit(224, "stretch", 2)
    assert card.metrics["evaluation"]["n"] == 1000
    assert card.metrics["evaluation"]["accuracy"] >= 0.975
    assert shipped.model_name == f"foodsort-resnet50@{shipped.sha256[:12]}"
    assert sum(path.stat().st_size for path in shipped.folder.iterdir() if path.is_file()) < 100e6


@pytest.mark.parametrize("at", [0, 1_000_000, -1])
def test_a_tampered_file_is_refused(copy: Path, at: int) -> None:
    data = bytearray((copy / NETWORK).read_bytes())
    data[at] ^= 1
    (copy / NETWORK).write_bytes(data)
    with pytest.raises(BundleError, match=r"model\.keras differs from its digest in the card"):
        Bundle.load(copy)


def test_a_changed_card_is_another_model(copy: Path, shipped: Bundle) -> None:
    change_card(copy, temperature=2.0)
    assert Bundle.load(copy).sha256 != shipped.sha256


def test_a_missing_file_is_named(copy: Path, tmp_path: Path) -> None:
    (copy / NETWORK).unlink()
    with pytest.raises(BundleError, match=NETWORK):
        Bundle.load(copy)
    with pytest.raises(BundleError, match="nowhere"):
        Bundle.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format_version": 3}, "format_version"),
        ({"temperature": 0}, "temperature"),
        ({"unknown": 1}, "unknown"),
        ({"fit": {"side": 224, "mode": "squeeze"}}, "fit.mode"),
        ({"thresholds": {"food": 2}}, "thresholds.food"),
    ],
)
def test_an_invalid_card_is_refused(copy: Path, values: dict[str, Any], message: str) -> None:
    change_card(copy, **values)
    with pytest.raises(BundleError) as caught:
        Bundle.load(copy)
    assert str(copy / "card.json") in str(caught.value)
    assert message in str(caught.value)


def test_a_card_that_is_not_json_is_refused(copy: Path) -> None:
    (copy / "card.json").write_text("{")
    with pytest.raises(BundleError, match=r"card\.json is not the card"):
        Bundle.load(copy)


def test_a_card_without_a_digest_of_the_network_is_refused(copy: Path) -> None:
    change_card(copy, files={})
    with pytest.raises(BundleError, match=r"has no digest of model\.keras"):
        Bundle.load(copy)


def test_a_card_that_names_a_file_outside_the_bundle_is_refused(copy: Path) -> None:
    change_card(copy, files={NETWORK: file_sha256(copy / NETWORK), "../secret": "0"})
    with pytest.raises(BundleError, match="outside the bundle"):
        Bundle.load(copy)


@pytest.fixture
def learned(shipped: Bundle, tmp_path: Path) -> Bundle:
    """A bundle with heads of its own that stands on a copy of the shipped one."""
    base = tmp_path / folder_name(shipped.sha256)
    shutil.copytree(shipped.folder, base, ignore=shutil.ignore_patterns("__*"))
    (tmp_path / "learned").mkdir()
    heads = {side: dataclasses.replace(head, bias=head.bias + 1) for side, head in shipped.heads.items()}
    save_heads(tmp_path / "learned" / HEADS, heads)
    return Bundle.write(tmp_path / "learned", shipped.card.model_copy(update={"base": shipped.sha256}))


def test_a_bundle_that_stands_on_another_holds_what_differs_alone(learned: Bundle, shipped: Bundle) -> None:
    assert {path.name for path in learned.folder.iterdir()} == {"card.json", HEADS}
    assert learned.path(HEADS) == learned.folder / HEADS
    base = learned.folder.parent / shipped.sha256[:12]
    assert {learned.path(name) for name in (NETWORK, INT8, INT8_WEIGHTS, BANK)} == {
        base / name for name in (NETWORK, INT8, INT8_WEIGHTS, BANK)
    }
    assert learned.card.files == shipped.card.files | {HEADS: file_sha256(learned.folder / HEADS)}
    assert {side: head.bias - 1 for side, head in learned.heads.items()} == pytest.approx(
        {side: head.bias for side, head in shipped.heads.items()}
    )


def test_its_base_is_found_from_within_and_through_a_link(
    learned: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/live").symlink_to(learned.folder)
    assert Bundle.load(tmp_path / "elsewhere/live").sha256 == learned.sha256
    monkeypatch.chdir(learned.folder)
    assert Bundle.load(Path()).path(INT8).is_file()


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_an_engine_runs_its_own_heads_on_the_network_of_its_base(
    learned: Bundle,
    shipped: Bundle,
    pixels: Random,
    precision: Precision,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photos = pixels(2)
    before, after = (open_engine("openvino", one, 2, precision).logits(photos) for one in (shipped, learned))
    np.testing.assert_allclose(after - before, 1 / learned.heads[224].temperature, atol=0.02)  # int8 rounds


def test_a_missing_base_is_named(learned: Bundle, shipped: Bundle) -> None:
    base = learned.folder.parent / shipped.sha256[:12]
    base.rename(base.with_name("away"))
    with pytest.raises(BundleError, match=f"stands on another model bundle, which is missing: {base}; copy that"):
        Bundle.load(learned.folder)


def test_a_base_with_another_card_is_refused(learned: Bundle, shipped: Bundle) -> None:
    change_card(learned.folder.parent / shipped.sha256[:12], temperature=2.0)
    with pytest.raises(BundleError, match=r"card\.json differs from the digest in .*whose bundle stands on it"):
        Bundle.load(learned.folder)


def test_a_tampered_file_of_the_base_is_refused(learned: Bundle) -> None:
    with learned.path(INT8_WEIGHTS).open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match=r"int8\.bin differs from its digest"):
        Bundle.load(learned.folder)


def test_a_base_is_named_by_a_whole_digest(copy: Path) -> None:
    change_card(copy, base="../../elsewhere")
    with pytest.raises(BundleError, match="base"):
        Bundle.load(copy)


def test_kernels_stored_in_float16_keep_the_logits(tmp_path: Path, pixels: Random) -> None:
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = resnet50.build()
    path = tmp_path / NETWORK
    save_network(network, path)
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        stored: dict[int, set[Any]] = {1: set(), 4: set()}

        def note(_: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim in stored:
                stored[item.ndim].add(item.dtype)

        weights.visititems(note)
    assert stored == {1: {np.dtype(np.float32)}, 4: {np.dtype(np.float16)}}
    assert [file.name for file in tmp_path.iterdir()] == [NETWORK]
    loaded = keras.saving.load_model(path)
    assert {variable.dtype for variable in loaded.variables} == {"float32"}
    before, after = np.asarray(network(pixels(4, 64))), np.asarray(loaded(pixels(4, 64)))
    np.testing.assert_allclose(after, before, atol=0.02)


def test_nothing_in_a_bundle_is_executed(copy: Path) -> None:
    load_tensorflow()
    import keras

    harmful = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)])
    harmful.save(copy / NETWORK)
    assert keras.saving.load_model(copy / NETWORK, safe_mode=False) is not None  # it would be loaded if trusted
    bundle = Bundle.write(copy, Bundle.load().card)
    with pytest.raises(BundleError, match="cannot be loaded"):
        bundle.load_network()
