import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from daemon.inbox.handle import InboxHandle
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import FileEvent, InotifySource
from daemon.inbox.watcher import Watcher
from daemon.settings import WatchSettings

Events = queue.SimpleQueue[FileEvent]


@pytest.fixture
def long_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """watchdog delays events longer than a test waits for them."""
    monkeypatch.setattr(InotifyMoveEventGrouper, "delay", 30)


@pytest.fixture
def events(tmp_path: Path) -> Iterator[Events]:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/old.jpg").touch()
    (tmp_path / "new.jpg").touch()
    events = Events()
    source = InotifySource(tmp_path / "inbox", IgnoreRules(), events.put)
    yield events
    source.stop()


def test_a_file_that_moves_out_delays_no_event(tmp_path: Path, long_delay: None, events: Events) -> None:
    (tmp_path / "inbox/old.jpg").rename(tmp_path / "old.jpg")
    (tmp_path / "new.jpg").rename(tmp_path / "inbox/new.jpg")
    assert events.get(timeout=10) == FileEvent("disappeared", b"old.jpg")
    assert events.get(timeout=10) == FileEvent("moved_in", b"new.jpg")


def test_a_file_that_moves_within_the_inbox_has_an_event_at_both_places(tmp_path: Path, events: Events) -> None:
    (tmp_path / "inbox/old.jpg").rename(tmp_path / "inbox/other.jpg")
    assert events.get(timeout=10) == FileEvent("disappeared", b"old.jpg")
    assert events.get(timeout=10) == FileEvent("moved_in", b"other.jpg")


def test_the_claim_folder_has_no_events(tmp_path: Path, events: Events) -> None:
    (tmp_path / "inbox/.foodsort").mkdir()
    (tmp_path / "inbox/old.jpg").rename(tmp_path / "inbox/.foodsort/old.jpg")
    (tmp_path / "inbox/.foodsort/old.jpg").rename(tmp_path / "old.jpg")
    (tmp_path / "new.jpg").rename(tmp_path / "inbox/new.jpg")
    assert events.get(timeout=10) == FileEvent("disappeared", b"old.jpg")
    assert events.get(timeout=10) == FileEvent("moved_in", b"new.jpg")


def test_the_files_of_a_folder_that_moves_within_the_inbox_are_moved_in(tmp_path: Path, events: Events) -> None:
    (tmp_path / "trip").mkdir()
    (tmp_path / "trip/a.jpg").touch()
    (tmp_path / "trip").rename(tmp_path / "inbox/trip")
    _until(events, FileEvent("appeared", b"trip/a.jpg"))
    (tmp_path / "inbox/trip").rename(tmp_path / "inbox/other")
    _until(events, FileEvent("moved_in", b"other/a.jpg"))
    (tmp_path / "inbox/other/a.jpg").write_bytes(b"more")
    _until(events, FileEvent("closed", b"other/a.jpg"))


def _until(events: Events, expected: FileEvent) -> None:
    while events.get(timeout=10) != expected:
        pass


@pytest.mark.parametrize("watched", ["the folder", "the link"])
def test_the_self_test_needs_events_of_the_top_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: str
) -> None:
    """Watching a link reports events of the subfolders of its target, and none of the target itself."""
    (tmp_path / "real/trip").mkdir(parents=True)
    (tmp_path / "inbox").symlink_to("real")
    if watched == "the link":
        monkeypatch.setattr("daemon.inbox.inotify.os.path.realpath", lambda path: path)
        monkeypatch.setattr("daemon.inbox.watcher.SELF_TEST_S", 0.2)
    handle = InboxHandle(tmp_path / "inbox", lock=False)
    watcher = Watcher(WatchSettings(), handle, lambda _: None, lambda *_: None)
    watcher.open()
    watcher.close()
    handle.close()
    assert watcher.kind == ("inotify" if watched == "the folder" else "polling")
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["trip"]
