"""Other settings and another model while photos arrive: SIGHUP, or `systemctl reload`."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from daemon.monitoring.drift import ENOUGH
from daemon.monitoring.status_file import read
from models.bundle import CARD, Bundle
from tests.daemon.conftest import Photo, running, status, tree, until
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow


def started_reloads(notifications: list[str]) -> list[int]:
    return [index for index, message in enumerate(notifications) if message.startswith("RELOADING=1")]


def has_reloaded(notifications: list[str], times: int) -> bool:
    """Whether the daemon has notified systemd of this many finished reloads."""
    starts = started_reloads(notifications)
    return len(starts) >= times and "READY=1" in notifications[starts[times - 1] :]


def reload(daemon: "subprocess.Popen[str]", notifications: list[str]) -> None:
    """Asks for a reload and waits until it is done."""
    times = len(started_reloads(notifications)) + 1
    daemon.send_signal(signal.SIGHUP)
    until(lambda: has_reloaded(notifications, times), daemon)


def reload_errors(root: Path) -> list[str]:
    return [error["message"] for error in status(root)["last_errors"] if error["kind"] == "reload"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A bundle of another name."""
    shutil.copytree(Bundle.load().folder, folder := tmp_path / "other", ignore=shutil.ignore_patterns("__*"))
    Bundle.write(folder, Bundle.load(folder).card.model_copy(update={"name": "other"}))
    return folder


def test_a_reload_switches_folders_and_database(
    root: Path, photo: Photo, tmp_path: Path, notifications: list[str]
) -> None:
    with running(root) as daemon:
        (root / "inbox/1.jpg").write_bytes(photo(shade=1))
        until((root / "food/1.jpg").exists, daemon)
        (root / "foodsort.toml").write_text(
            f'[folders]\nfood = "tasty"\ninbox = "new"\n[database]\nurl = "sqlite:///{tmp_path}/other.db"\n'
        )
        (root / "new").mkdir()
        (root / "new/2.jpg").write_bytes(photo(shade=2))
        reload(daemon, notifications)
        until((root / "tasty/2.jpg").exists, daemon)
        (root / "new/3.jpg").write_bytes(photo(shade=3))
        until((root / "tasty/3.jpg").exists, daemon)
        until(lambda: status(root)["photos"]["food"] == 3, daemon)
    assert {row["path"] for row in rows(root)} == {"tasty/2.jpg", "tasty/3.jpg"}
    (root / "foodsort.toml").unlink()
    assert [row["path"] for row in rows(root)] == ["food/1.jpg"]


def test_a_reload_switches_from_a_missing_inbox(root: Path, photo: Photo, notifications: list[str]) -> None:
    with running(root) as daemon:
        (root / "inbox").rename(root / "away")
        until(lambda: status(root)["state"] == "waiting", daemon)
        (root / "new").mkdir()
        (root / "new/1.jpg").write_bytes(photo(shade=1))
        (root / "foodsort.toml").write_text('[folders]\ninbox = "new"\n')
        reload(daemon, notifications)
        until((root / "food/1.jpg").exists, daemon)
        until(lambda: read(root, root / "new")["state"] == "watching", daemon)


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("[batch]\nmax_size = 0\n", "batch.max_size"),
        ("[batch\n", "is not TOML"),
        ('[model]\nbundle = "nowhere"\n', "is not a complete model bundle"),
        ('[metrics]\nlisten = "203.0.113.1:9108"\n', "nothing can be served at 203.0.113.1"),
    ],
)
def test_invalid_settings_are_reported_and_change_nothing(
    root: Path, photo: Photo, notifications: list[str], toml: str, reason: str
) -> None:
    with running(root) as daemon:
        (root / "foodsort.toml").write_text(toml)
        reload(daemon, notifications)
        (root / "inbox/1.jpg").write_bytes(photo(shade=1))
        until((root / "food/1.jpg").exists, daemon)
        assert status(root)["state"] == "watching"
        until(lambda: bool(reload_errors(root)), daemon)
        assert [reason in message for message in reload_errors(root)] == [True]
        (root / "foodsort.toml").write_text('[folders]\nfood = "tasty"\n')
        reload(daemon, notifications)
        (root / "inbox/2.jpg").write_bytes(photo(shade=2))
        until((root / "tasty/2.jpg").exists, daemon)


def test_a_reload_switches_the_model_under_load_without_losing_photos(
    root: Path, photo: Photo, other: Path, notifications: list[str]
) -> None:
    photos = {f"{number}.jpg": photo(shade=number % 256, size=64 + number // 256) for number in range(300)}
    with running(root) as daemon:
        for name, data in photos.items():
            (root / "inbox" / name).write_bytes(data)
        until(lambda: bool(tree(root / "food")) if (root / "food").exists() else False, daemon)
        (root / "foodsort.toml").write_text(f'[model]\nbundle = "{other}"\n')
        reload(daemon, notifications)
        (root / "inbox/last.jpg").write_bytes(photo(shade=7, size=99))
        until(lambda: sum(status(root)["photos"].values()) == 301, daemon)
        assert status(root)["model"].startswith("other@")
    assert {name.removeprefix("food/") for name in tree(root) if name != "foodsort.toml"} == {*photos, "last.jpg"}
    filed = rows(root)
    assert len(filed) == 301
    assert {row["state"] for row in filed} == {"filed"}
    assert next(row for row in filed if row["path"] == "food/last.jpg")["model"].startswith("other@")


def test_photos_that_arrive_during_a_reload_need_not_settle_again(
    root: Path,
    photo: Photo,
    other: Path,
    tmp_path: Path,
    notifications: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__SETTLE_S", "3600")  # longer than the test
    with running(root) as daemon:
        dropped = 0
        (root / "foodsort.toml").write_text(f'[model]\nbundle = "{other}"\n')
        while not has_reloaded(notifications, 1) or dropped < 300:
            (tmp_path / "new.jpg").write_bytes(photo(shade=dropped % 256, size=64 + dropped // 256))
            (tmp_path / "new.jpg").rename(root / f"inbox/{dropped}.jpg")
            dropped += 1
            if dropped == 100:
                daemon.send_signal(signal.SIGHUP)
            assert dropped < 50_000, "it was never reloaded"
        until(lambda: sum(status(root)["photos"].values()) == dropped, daemon)
    assert len(rows(root)) == dropped


def test_a_reload_loads_another_model_from_the_same_folder(
    root: Path, photo: Photo, other: Path, notifications: list[str]
) -> None:
    (root / "foodsort.toml").write_text(f'[model]\nbundle = "{other}"\n')
    with running(root) as daemon:
        card = Bundle.load(other).card.model_copy(update={"name": "newer"})
        Bundle.write(other, card)
        (root / "inbox/1.jpg").write_bytes(photo(shade=1))
        until((root / "food/1.jpg").exists, daemon)
        assert status(root)["model"].startswith("other@")
        reload(daemon, notifications)
        until(lambda: (status(root)["model"] or "").startswith("newer@"), daemon)
        (other / CARD).unlink()
        reload(daemon, notifications)
        until(lambda: bool(reload_errors(root)), daemon)
        assert status(root)["model"].startswith("newer@")


def test_a_second_signal_ends_the_daemon_immediately_and_the_next_start_recovers(
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
        assert "stopped immediately" in (root / "daemon.log").read_text()
        assert not (root / "food/1.jpg").exists()
    monkeypatch.delenv("FOODSORT_FAULT")
    with running(root):
        until((root / "food/1.jpg").exists)
    assert len(rows(root)) == 1


def test_an_unloaded_model_is_loaded_for_the_next_photo(
    root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__IDLE_UNLOAD_S", "0.2")
    with running(root) as daemon:
        for number in range(2):
            until(lambda: status(root)["engine"] == "scripted, unloaded", daemon)
            (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number))
            until((root / f"food/{number}.jpg").exists, daemon)


def test_drift_is_reported(root: Path, photo: Photo) -> None:
    with running(root) as daemon:
        for number in range(ENOUGH):
            (root / f"inbox/{number}.jpg").write_bytes(photo(shade=number, size=16))
        until(lambda: status(root)["drift"] is not None, daemon)
        drift = status(root)["drift"]
        assert (drift["photos"], drift["food"], drift["shifted"]) == (ENOUGH, 1.0, True)
        assert drift["expected_food"] == pytest.approx(0.5, abs=0.05)
    with running(root) as daemon:  # it reads the earlier photos from the database
        until(lambda: status(root)["drift"] == drift, daemon)
    assert os.listdir(root / "inbox") in ([], [".foodsort"])
