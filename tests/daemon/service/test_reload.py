"""Other settings and another model while photos come: SIGHUP, or `systemctl reload`."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from daemon.monitoring.drift import ENOUGH
from daemon.monitoring.status_file import read
from models.bundle import CARD, Bundle
from tests.daemon.cli.test_run import rows
from tests.daemon.conftest import Photo, running, status, tree, until


def said(root: Path) -> str:
    return (root / "daemon.log").read_text()


def reload(root: Path, daemon: "subprocess.Popen[str]", outcome: str) -> None:
    """Asks for it and waits until its outcome is in the log once more."""
    before = said(root).count(outcome)
    daemon.send_signal(signal.SIGHUP)
    until(lambda: said(root).count(outcome) > before, daemon)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A bundle of another name."""
    shutil.copytree(Bundle.load().folder, folder := tmp_path / "other", ignore=shutil.ignore_patterns("__*"))
    Bundle.write(folder, Bundle.load(folder).card.model_copy(update={"name": "other"}))
    return folder


def test_other_folders_and_another_database_hold_from_the_reload_on(root: Path, photo: Photo, tmp_path: Path) -> None:
    with running(root) as daemon:
        (root / "inbox/1.jpg").write_bytes(photo(shade=1))
        until((root / "food/1.jpg").exists, daemon)
        (root / "foodsort.toml").write_text(
            f'[folders]\nfood = "tasty"\ninbox = "new"\n[database]\nurl = "sqlite:///{tmp_path}/other.db"\n'
        )
        (root / "new").mkdir()
        (root / "new/2.jpg").write_bytes(photo(shade=2))
        reload(root, daemon, "event=reloaded")
        until((root / "tasty/2.jpg").exists, daemon)
        (root / "new/3.jpg").write_bytes(photo(shade=3))
        until((root / "tasty/3.jpg").exists, daemon)
        until(lambda: status(root)["photos"]["food"] == 3, daemon)
    assert {row["path"] for row in rows(root)} == {"tasty/2.jpg", "tasty/3.jpg"}
    (root / "foodsort.toml").unlink()
    assert [row["path"] for row in rows(root)] == ["food/1.jpg"]


def test_another_inbox_can_be_named_while_the_old_one_is_away(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        (root / "inbox").rename(root / "away")
        until(lambda: status(root)["state"] == "waiting", daemon)
        (root / "new").mkdir()
        (root / "new/1.jpg").write_bytes(photo(shade=1))
        (root / "foodsort.toml").write_text('[folders]\ninbox = "new"\n')
        reload(root, daemon, "event=reloaded")
        until((root / "food/1.jpg").exists, daemon)
        until(lambda: read(root, root / "new")["state"] == "watching", daemon)


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        ("[batch]\nmax_size = 0\n", "batch.max_size"),
        ("[batch\n", "is not TOML"),
        ('[model]\nbundle = "nowhere"\n', "is no whole model bundle"),
        ('[metrics]\nlisten = "203.0.113.1:9108"\n', "nothing can be served at 203.0.113.1"),
        ('[folders]\nfood = "taken"\n', "taken"),
    ],
)
def test_what_cannot_be_leaves_all_as_it_was_and_says_why(root: Path, photo: Photo, toml: str, why: str) -> None:
    (root / "taken").write_text("a file where a folder is wanted")
    with running(root) as daemon:
        (root / "foodsort.toml").write_text(toml)
        reload(root, daemon, "nothing was reloaded")
        (root / "inbox/1.jpg").write_bytes(photo(shade=1))
        until((root / "food/1.jpg").exists, daemon)
        assert status(root)["state"] == "watching"
        until(lambda: any(error["kind"] == "reload" for error in status(root)["last_errors"]), daemon)
        assert [why in error["message"] for error in status(root)["last_errors"] if error["kind"] == "reload"] == [True]
        (root / "foodsort.toml").unlink()
        reload(root, daemon, "event=reloaded")


def test_another_model_takes_over_under_load_and_no_photo_is_lost(root: Path, photo: Photo, other: Path) -> None:
    photos = {f"{number}.jpg": photo(shade=number % 256, size=64 + number // 256) for number in range(300)}
    with running(root) as daemon:
        for name, data in photos.items():
            (root / "inbox" / name).write_bytes(data)
        until(lambda: bool(tree(root / "food")) if (root / "food").exists() else False, daemon)
        (root / "foodsort.toml").write_text(f'[model]\nbundle = "{other}"\n')
        reload(root, daemon, "event=reloaded")
        (root / "inbox/last.jpg").write_bytes(photo(shade=7, size=99))
        until(lambda: sum(status(root)["photos"].values()) == 301, daemon)
        assert status(root)["model"].startswith("other@")
    assert {name.removeprefix("food/") for name in tree(root) if name != "foodsort.toml"} == {*photos, "last.jpg"}
    filed = rows(root)
    assert len(filed) == 301
    assert {row["state"] for row in filed} == {"filed"}
    assert next(row for row in filed if row["path"] == "food/last.jpg")["model"].startswith("other@")


def test_photos_that_come_meanwhile_need_not_stand_still_again(
    root: Path, photo: Photo, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__SETTLE_S", "3600")  # who had to would stay
    with running(root) as daemon:
        dropped = 0
        (root / "foodsort.toml").write_text(f'[model]\nbundle = "{other}"\n')
        while "event=reloaded" not in said(root) or dropped < 300:
            (tmp_path / "new.jpg").write_bytes(photo(shade=dropped % 256, size=64 + dropped // 256))
            (tmp_path / "new.jpg").rename(root / f"inbox/{dropped}.jpg")
            dropped += 1
            if dropped == 100:
                daemon.send_signal(signal.SIGHUP)
            assert dropped < 50_000, "it was never reloaded"
        until(lambda: sum(status(root)["photos"].values()) == dropped, daemon)
    assert len(rows(root)) == dropped


def test_a_model_that_is_written_to_the_same_place_is_taken(root: Path, photo: Photo, other: Path) -> None:
    (root / "foodsort.toml").write_text(f'[model]\nbundle = "{other}"\n')
    with running(root) as daemon:
        card = Bundle.load(other).card.model_copy(update={"name": "newer"})
        Bundle.write(other, card)
        (root / "inbox/1.jpg").write_bytes(photo(shade=1))
        until((root / "food/1.jpg").exists, daemon)
        assert status(root)["model"].startswith("other@")
        reload(root, daemon, "event=reloaded")
        until(lambda: status(root)["model"].startswith("newer@"), daemon)
        (other / CARD).unlink()
        reload(root, daemon, "nothing was reloaded")
        assert status(root)["model"].startswith("newer@")


def test_a_second_signal_ends_it_at_once_and_the_next_start_finishes(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FAULT", "recorded:1:hang")
    with running(root) as daemon:
        (root / "inbox/1.jpg").write_bytes(photo())
        until(lambda: bool(rows(root)), daemon)
        daemon.terminate()
        until(lambda: status(root)["state"] == "stopping", daemon)
        daemon.terminate()
        assert daemon.wait(20) == 1
        assert "stopped at once" in said(root)
        assert not (root / "food/1.jpg").exists()
    monkeypatch.delenv("FOODSORT_FAULT")
    with running(root):
        until((root / "food/1.jpg").exists)
    assert len(rows(root)) == 1


def test_a_model_at_rest_wakes_for_the_next_photo(root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__IDLE_UNLOAD_S", "0.2")
    with running(root) as daemon:
        for number in range(2):
            until(lambda: status(root)["engine"] == "scripted, at rest", daemon)
            (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
            until((root / f"food/{number}.jpg").exists, daemon)


def test_photos_unlike_those_the_model_was_made_with_are_told(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        for number in range(ENOUGH):
            (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number, size=16))
        until(lambda: status(root)["drift"] is not None, daemon)
        drift = status(root)["drift"]
        assert (drift["photos"], drift["food"], drift["shifted"]) == (ENOUGH, 1.0, True)
        assert drift["expected_food"] == pytest.approx(0.5, abs=0.05)
    with running(root) as daemon:  # it knows what came before it
        until(lambda: status(root)["drift"] == drift, daemon)
    assert os.listdir(root / "inbox") in ([], [".foodsort"])
