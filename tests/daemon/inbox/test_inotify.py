import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import FileEvent, InotifySource

Hints = queue.SimpleQueue[FileEvent]


@pytest.fixture
def long_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held back for the other half of a move comes later than anybody here waits for it."""
    monkeypatch.setattr(InotifyMoveEventGrouper, "delay", 30)


@pytest.fixture
def hints(tmp_path: Path) -> Iterator[Hints]:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/old.jpg").touch()
    (tmp_path / "new.jpg").touch()
    found = Hints()
    watch = InotifySource(tmp_path / "inbox", IgnoreRules(), found.put)
    yield found
    watch.stop()


def test_a_file_that_leaves_holds_nothing_back(tmp_path: Path, long_held: None, hints: Hints) -> None:
    (tmp_path / "inbox/old.jpg").rename(tmp_path / "old.jpg")
    (tmp_path / "new.jpg").rename(tmp_path / "inbox/new.jpg")
    assert hints.get(timeout=10) == FileEvent("disappeared", b"old.jpg")
    assert hints.get(timeout=10) == FileEvent("moved_in", b"new.jpg")


def test_a_file_that_moves_within_the_inbox_is_told_of_at_both_places(tmp_path: Path, hints: Hints) -> None:
    (tmp_path / "inbox/old.jpg").rename(tmp_path / "inbox/other.jpg")
    assert hints.get(timeout=10) == FileEvent("disappeared", b"old.jpg")
    assert hints.get(timeout=10) == FileEvent("moved_in", b"other.jpg")
