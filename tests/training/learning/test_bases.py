from pathlib import Path

import numpy as np
import pytest

from models.bundle import BANK, HEADS, INT8, INT8_WEIGHTS, NETWORK, Bundle, folder_name
from models.errors import BundleError
from models.features import feature_digest
from models.head import save_heads
from training.fitting import feature_bank
from training.learning import bases, placement


def altered(shipped: Bundle, folder: Path, without: str) -> Path:
    """Links to the shipped bundle's files but one."""
    folder.mkdir()
    for name in {NETWORK, INT8, INT8_WEIGHTS, HEADS, BANK} - {without}:
        (folder / name).symlink_to(shipped.path(name).resolve())
    return folder


def test_the_shipped_bundle_can_be_learned_on(shipped: Bundle) -> None:
    base = bases.load(shipped)
    assert tuple(base.heads) == shipped.sides
    assert len(base.training.labels) > 5000
    assert len(base.guard.labels) > 1000


def test_a_bundle_without_a_bank_is_refused(plain: Bundle) -> None:
    with pytest.raises(BundleError, match=r"has no feature bank \(features\.npz\).*use the bundle that comes with"):
        bases.load(plain)


def test_a_bank_of_another_network_is_refused(shipped: Bundle, tmp_path: Path) -> None:
    """Its positions have the right shape, but other axes."""
    folder = altered(shipped, tmp_path / "other", BANK)
    bank = feature_bank.load(shipped.path(BANK))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(385, 385)))[0].astype(np.float32)
    turned = {
        name: split._replace(positions={side: at @ turn for side, at in split.positions.items()})
        for name, split in bank.items()
    }
    feature_bank.save(folder / BANK, turned)
    with pytest.raises(BundleError, match=r"features\.npz is the feature bank of another network"):
        bases.load(Bundle.write(folder, shipped.card))


def test_a_bank_of_other_sides_or_lengths_is_refused(shipped: Bundle, tmp_path: Path) -> None:
    bank = feature_bank.load(shipped.path(BANK))
    shorter = {
        name: split._replace(positions={side: at[:, :100] for side, at in split.positions.items()})
        for name, split in bank.items()
    }
    one_side = {name: split._replace(positions={224: split.positions[224]}) for name, split in bank.items()}
    for number, changed in enumerate((shorter, one_side)):
        folder = altered(shipped, tmp_path / str(number), BANK)
        feature_bank.save(folder / BANK, changed)
        with pytest.raises(BundleError, match="is the feature bank of another network"):
            bases.load(Bundle.write(folder, shipped.card))


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_bank_is_refused(content: bytes, shipped: Bundle, tmp_path: Path) -> None:
    folder = altered(shipped, tmp_path / "broken", BANK)
    (folder / BANK).write_bytes(content)
    with pytest.raises(BundleError, match=r"features\.npz is not a feature bank"):
        bases.load(Bundle.write(folder, shipped.card))


def test_learning_starts_from_the_bundle_that_a_learned_one_stands_on(shipped: Bundle, tmp_path: Path) -> None:
    placement.place_base(shipped, tmp_path)
    (tmp_path / "learned").mkdir()
    save_heads(tmp_path / "learned" / HEADS, shipped.heads)
    learned = Bundle.write(tmp_path / "learned", shipped.card.model_copy(update={"base": shipped.sha256}))
    root = bases.root_of(learned)
    assert root.folder == tmp_path / folder_name(shipped.sha256)
    assert root.sha256 == shipped.sha256
    assert bases.root_of(root) is root
    assert feature_digest(learned) == feature_digest(shipped)
    bases.refuse_other_network(learned, root)


def test_models_on_two_networks_are_not_compared(shipped: Bundle, plain: Bundle) -> None:
    with pytest.raises(BundleError, match=r"stands on another network.*so the two cannot be compared"):
        bases.refuse_other_network(plain, shipped)
