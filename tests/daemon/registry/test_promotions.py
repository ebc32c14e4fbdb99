import json
import os
import resource
from pathlib import Path

import pytest

from daemon.registry import promotions
from daemon.registry.promotions import Promotion, Promotions
from models.errors import BundleError


def promotion(digit: str) -> Promotion:
    return Promotion(
        sha256=digit * 64,
        name=f"model@{digit}",
        promoted_at="2026-11-30T12:00:00Z",
        by="ann",
        verdict="better",
        reason="r",
    )


def live(found: Promotions, configured: str = "") -> str | None:
    one = found.live(configured)
    return one.sha256[0] if one else None


def test_the_newest_promotion_that_was_not_taken_back_is_live() -> None:
    both = Promotions().promote(promotion("a"), "").promote(promotion("b"), "")
    assert live(both) == "b"
    back = both.take_back("", "later", "bob")
    assert live(back) == "a"
    assert [one.taken_back_by for one in back.promotions] == [None, "bob"]
    assert live(back.take_back("", "later", "bob")) is None
    assert live(back.promote(promotion("c"), "")) == "c"


def test_another_bundle_in_the_settings_counts_at_once_and_starts_a_new_history() -> None:
    found = Promotions().promote(promotion("a"), "")
    assert live(found, "mine") is None
    assert live(found, "") == "a"
    changed = found.promote(promotion("b"), "mine")
    assert live(changed, "mine") == "b"
    assert live(changed.take_back("mine", "later", "bob"), "mine") is None


def test_promotions_are_read_as_they_were_saved(tmp_path: Path) -> None:
    assert promotions.load(tmp_path) == Promotions()
    (tmp_path / "models").mkdir()
    saved = Promotions().promote(promotion("a"), "")
    promotions.save(tmp_path, saved)
    assert promotions.load(tmp_path) == saved
    assert promotions.live_folder(tmp_path, "") == tmp_path / "models" / ("a" * 12)
    assert os.listdir(tmp_path / "models") == ["promotions.json"]


@pytest.mark.parametrize("text", ["", "{", json.dumps({"promotions": [{"sha256": "../etc"}]})])
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/promotions.json").write_text(text)
    with pytest.raises(BundleError, match=r"promotions\.json is damaged.*delete it to use model\.bundle"):
        promotions.load(tmp_path)


def test_a_full_disk_leaves_the_promotions_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    promotions.save(tmp_path, Promotions().promote(promotion("a"), ""))

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        promotions.save(tmp_path, Promotions())
    assert live(promotions.load(tmp_path)) == "a"
    assert os.listdir(tmp_path / "models") == ["promotions.json"]


def test_a_disk_that_fills_up_while_they_are_written_leaves_them_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    promotions.save(tmp_path, Promotions().promote(promotion("a"), ""))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # a write of more ends early, then the next one fails
    try:
        with pytest.raises(OSError, match="File too large"):
            promotions.save(tmp_path, Promotions())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert live(promotions.load(tmp_path)) == "a"
    assert os.listdir(tmp_path / "models") == ["promotions.json"]
