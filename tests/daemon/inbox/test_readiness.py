import os
import time
from pathlib import Path

import pytest

from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.readiness import REFUSED_S, FileStamp, ReadinessTracker, ReadyFile

SETTLE, OPEN, EMPTY = 2.0, 600.0, 10.0
A = b"a.jpg"
LOOK = FileStamp(1000, 1, 7, 1)
GROWN = FileStamp(2000, 2, 7, 2)
ZERO = FileStamp(0, 1, 7, 1)


@pytest.fixture
def inbox() -> ReadinessTracker:
    return ReadinessTracker(SETTLE, OPEN, EMPTY)


@pytest.fixture
def window() -> ReadinessTracker:
    """An inbox for ten files."""
    return ReadinessTracker(SETTLE, OPEN, EMPTY, window=10)


def check(inbox: ReadinessTracker, now: float, look: FileStamp | None = LOOK) -> ReadyFile | None:
    """What a look at `now` gives, when one is due."""
    path = inbox.pop_due(now)
    return inbox.check(path, look, now) if path is not None else None


def test_a_found_file_is_ready_after_two_equal_looks_over_the_quiet_time(inbox: ReadinessTracker) -> None:
    inbox.observe(A, LOOK, 0)
    assert check(inbox, 1.9) is None
    assert check(inbox, 2.0) == ReadyFile(A, LOOK, 0, overdue=False)
    assert len(inbox) == 0


def test_a_found_file_that_changed_waits_again(inbox: ReadinessTracker) -> None:
    inbox.observe(A, LOOK, 0)
    assert check(inbox, 2.0, GROWN) is None
    assert check(inbox, 3.9, GROWN) is None
    assert check(inbox, 4.0, GROWN) == ReadyFile(A, GROWN, 2.0, overdue=False)


def test_an_old_mtime_alone_makes_nothing_ready(inbox: ReadinessTracker) -> None:
    inbox.observe(A, FileStamp(1000, -(10**18), 7, 1), 0)
    assert inbox.pop_due(0) is None


def test_a_file_that_is_written_waits_for_its_close(inbox: ReadinessTracker) -> None:
    inbox.on_modified(A, 0)
    assert check(inbox, 100) is None
    inbox.on_closed(A, 100)
    assert check(inbox, 101.9) is None
    assert check(inbox, 102) == ReadyFile(A, LOOK, 100, overdue=False)


def test_a_writer_that_closes_and_opens_again_starts_the_quiet_time_again(inbox: ReadinessTracker) -> None:
    inbox.on_closed(A, 0)
    inbox.on_modified(A, 1)
    assert check(inbox, 50) is None
    inbox.on_closed(A, 50)
    assert check(inbox, 52) == ReadyFile(A, LOOK, 50, overdue=False)


def test_a_file_that_is_never_closed_is_taken_in_the_end(inbox: ReadinessTracker) -> None:
    inbox.on_modified(A, 0)
    inbox.on_modified(A, 5)
    assert check(inbox, 604.9) is None
    assert check(inbox, 605) == ReadyFile(A, LOOK, 5, overdue=True)


def test_a_rescan_does_not_hurry_a_file_that_is_written(inbox: ReadinessTracker) -> None:
    inbox.on_modified(A, 0)
    inbox.observe(A, LOOK, 1)
    assert check(inbox, 100) is None


def test_a_file_moved_in_is_ready_at_once_also_when_a_listing_found_it_first(inbox: ReadinessTracker) -> None:
    inbox.observe(A, LOOK, 5, source="scan")
    inbox.on_moved_in(A, LOOK, 5)
    assert check(inbox, 5) == ReadyFile(A, LOOK, 5, overdue=False)
    assert len(inbox) == 0
    assert inbox.pop_due(1000) is None


def test_a_file_moved_in_is_ready_at_once(inbox: ReadinessTracker) -> None:
    inbox.on_moved_in(A, LOOK, 5)
    assert check(inbox, 5) == ReadyFile(A, LOOK, 5, overdue=False)


def test_a_file_found_again_keeps_its_place(inbox: ReadinessTracker) -> None:
    inbox.observe(A, LOOK, 0)
    inbox.observe(A, LOOK, 1.5)
    assert check(inbox, 2) is not None


def test_an_empty_file_is_given_time(inbox: ReadinessTracker) -> None:
    inbox.on_closed(A, 0)
    assert check(inbox, 2, ZERO) is None
    assert check(inbox, 9.9, ZERO) is None
    assert check(inbox, 10, ZERO) == ReadyFile(A, ZERO, 0, overdue=False)


def test_an_empty_file_that_fills_starts_again(inbox: ReadinessTracker) -> None:
    inbox.observe(A, ZERO, 0)
    assert check(inbox, 2, ZERO) is None
    assert check(inbox, 10, LOOK) is None
    assert check(inbox, 20, LOOK) is not None


def test_a_file_that_went_is_forgotten(inbox: ReadinessTracker) -> None:
    inbox.observe(A, LOOK, 0)
    assert check(inbox, 2, None) is None
    assert len(inbox) == 0
    inbox.observe(A, LOOK, 3)
    inbox.remove(A)
    assert inbox.pop_due(100) is None


def test_a_file_put_back_waits_as_long_as_it_has_to_stand_still(inbox: ReadinessTracker) -> None:
    inbox.requeue(A, LOOK, 10, 30)
    inbox.on_moved_in(A, LOOK, 11)  # what our own renaming looks like
    assert check(inbox, 39) is None
    assert check(inbox, 40) == ReadyFile(A, LOOK, 10, overdue=False)


def test_a_file_put_back_because_it_is_open_waits_for_its_close(inbox: ReadinessTracker) -> None:
    inbox.requeue_open(A, LOOK, 0)
    inbox.on_moved_in(A, LOOK, 1)
    assert check(inbox, 599) is None
    inbox.on_closed(A, 599)
    assert check(inbox, 601) == ReadyFile(A, LOOK, 599, overdue=False)


def test_another_file_moved_over_one_put_back_is_ready_at_once(inbox: ReadinessTracker) -> None:
    inbox.requeue(A, LOOK, 0, 30)
    inbox.on_moved_in(A, GROWN, 1)
    assert check(inbox, 1, GROWN) == ReadyFile(A, GROWN, 1, overdue=False)


def test_our_own_renaming_does_not_try_a_refused_file_again(inbox: ReadinessTracker) -> None:
    inbox.refuse(A, LOOK, 0)
    inbox.on_moved_in(A, LOOK, 0)
    assert check(inbox, 0) is None
    assert len(inbox) == 0
    assert inbox.refused_count == 1


def test_a_refused_file_stays_until_it_changes(inbox: ReadinessTracker) -> None:
    assert inbox.refuse(A, LOOK, 0) is True
    assert inbox.refuse(A, LOOK, 0) is False
    assert inbox.refused_count == 1
    inbox.observe(A, LOOK, 0)
    assert inbox.pop_due(100) is None
    inbox.observe(A, GROWN, 100)
    assert check(inbox, 102, GROWN) is not None
    inbox.remove(A)
    assert inbox.refused_count == 0


def test_a_refused_file_is_tried_again_after_a_long_time(inbox: ReadinessTracker) -> None:
    inbox.refuse(A, LOOK, 0)
    inbox.observe(A, LOOK, REFUSED_S - 1)
    assert inbox.pop_due(REFUSED_S + 100) is None
    inbox.observe(A, LOOK, REFUSED_S)
    assert check(inbox, REFUSED_S + 2) == ReadyFile(A, LOOK, REFUSED_S, overdue=False)
    assert inbox.refuse(A, LOOK, REFUSED_S + 2) is False
    assert inbox.refused_count == 1


def test_a_close_that_was_lost_is_found_out_by_looking(inbox: ReadinessTracker) -> None:
    inbox.on_modified(A, 0)
    inbox.on_closed(b"other", 0)
    inbox.on_overflow()
    inbox.observe(A, LOOK, 1)
    assert [inbox.pop_due(2), check(inbox, 3)] == [b"other", ReadyFile(A, LOOK, 1, overdue=False)]


def test_the_oldest_is_known_until_everything_is_forgotten(inbox: ReadinessTracker) -> None:
    inbox.observe(b"second", LOOK, 1)
    inbox.observe(b"first", LOOK, 0)
    assert inbox.oldest == (b"first", 0)
    inbox.clear()
    assert (inbox.oldest, inbox.pop_due(100), len(inbox)) == (None, None, 0)


def test_the_longest_waiting_comes_first_and_the_next_time_is_known(inbox: ReadinessTracker) -> None:
    inbox.observe(b"second", LOOK, 1)
    inbox.observe(b"first", LOOK, 0)
    assert inbox.next_due_at() == 2
    assert [inbox.pop_due(3), inbox.pop_due(3), inbox.pop_due(3)] == [b"first", b"second", None]


def test_many_small_writes_do_not_pile_up(inbox: ReadinessTracker) -> None:
    for moment in range(1000):
        inbox.on_modified(A, float(moment))
    assert inbox.pop_due(600) is None
    assert inbox.next_due_at() == 999 + OPEN
    assert inbox.pop_due(999 + OPEN) == A
    assert inbox.pop_due(10**6) is None


def test_a_million_files_written_one_after_another_leave_nothing_behind() -> None:
    inbox = ReadinessTracker(SETTLE, OPEN, EMPTY, window=10)
    for number in range(1000):
        inbox.on_modified(b"%d" % number, number)
        inbox.on_closed(b"%d" % number, number)
        assert check(inbox, number + SETTLE) is not None
    assert len(inbox._queue) <= 21


def list_all(inbox: ReadinessTracker, names: list[bytes], now: float) -> list[bytes]:
    """Lets a listing bring as many files as there is room for; returns those that it has yet to bring."""
    fitting = inbox.scan_room
    for name in names[:fitting]:
        inbox.observe(name, LOOK, now, source="scan")
    return names[fitting:]


def test_a_listing_brings_half_a_window_and_goes_on_as_files_leave(window: ReadinessTracker) -> None:
    names = [b"%d" % number for number in range(12)]
    window.scanning = True
    left = list_all(window, names, 0)
    assert (len(window), window.scan_room, window.rescan_needed) == (5, 0, False)
    taken = []
    for now in range(2, 100, 3):
        while one := check(window, now):
            taken.append(one.path)
        left = list_all(window, left, now)
        assert len(window) <= 5
    assert (taken, len(window), window.scan_room) == (names, 0, 5)


def test_events_fill_the_other_half_and_what_does_not_fit_is_missed(window: ReadinessTracker) -> None:
    window.scanning = True
    list_all(window, [b"%d" % number for number in range(9)], 0)
    for tell in (window.on_modified, window.on_closed):
        for number in range(3):
            tell(b"told %d" % number, 0)  # one told twice takes one place
    window.on_moved_in(b"moved in", LOOK, 0)
    assert (len(window), window.rescan_needed) == (9, False)
    window.observe(b"made", LOOK, 0)
    window.observe(b"one too many", LOOK, 0)
    assert (len(window), window.rescan_needed, b"one too many" in window) == (10, True, False)


def test_events_do_not_keep_a_listing_out(window: ReadinessTracker) -> None:
    for number in range(20):
        window.on_modified(b"%d" % number, 0)
    assert (len(window), window.scan_room, window.rescan_needed) == (10, 0, True)
    window.scanning = True
    for number in range(5):
        window.remove(b"%d" % number)
        window.on_closed(b"another %d" % number, 0)
    assert (len(window), window.scan_room) == (5, 5)
    assert list_all(window, [b"listed"], 0) == []


def test_a_listed_file_that_an_event_tells_of_leaves_room_for_another(window: ReadinessTracker) -> None:
    window.scanning = True
    list_all(window, [b"%d" % number for number in range(5)], 0)
    window.on_modified(b"0", 1)
    assert window.scan_room == 1
    list_all(window, [b"0", b"5"], 2)
    assert check(window, 3) == ReadyFile(b"1", LOOK, 0, overdue=False)  # the one that is written waits on
    assert window.pop_due(OPEN) != b"0"


def test_a_file_that_we_put_back_is_always_let_in(window: ReadinessTracker) -> None:
    for number in range(20):
        window.on_modified(b"%d" % number, 0)
    window.requeue(b"cut off", LOOK, 0, 30)
    window.requeue_open(b"open", LOOK, 0)
    window.observe(b"changed", LOOK, 0, source="returned")
    assert (len(window), window.scan_room) == (13, 0)
    assert {b"cut off", b"open", b"changed"} <= {window.pop_due(OPEN) for _ in range(13)}


def test_what_is_forgotten_leaves_the_whole_window_free(window: ReadinessTracker) -> None:
    window.scanning = True
    list_all(window, [b"%d" % number for number in range(5)], 0)
    window.on_modified(b"1", 0)
    window.on_overflow()
    assert (len(window), window.scan_room) == (4, 1)
    window.refuse(b"2", LOOK, 0)
    window.remove(b"3")
    assert (len(window), window.scan_room) == (2, 3)
    window.clear()
    assert (len(window), window.scan_room, window.scanning, window.rescan_needed) == (0, 5, False, False)


def test_of_a_file_with_other_names_the_time_that_they_change_tells_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"photo")
    alone = FileStamp.of(one.stat())
    os.link(one, other)
    before, inbox = FileStamp.of(one.stat()), ReadinessTracker(SETTLE, OPEN, EMPTY)
    inbox.observe(A, before, 0)
    time.sleep(0.05)  # the kernel's clock for files moves on in steps of some milliseconds
    changed = one.stat().st_ctime_ns
    other.rename(tmp_path / "renamed.jpg")
    assert one.stat().st_ctime_ns > changed
    assert (before.linked, alone.linked) == (True, False)
    assert check(inbox, 2, FileStamp.of(one.stat())) == ReadyFile(A, before, 0, overdue=False)


@pytest.mark.parametrize(
    "name",
    [
        *(
            b".DS_Store",
            b"._a.jpg",
            b".stfolder",
            b".foodsort",
            b"a.part",
            b"a.jpg.tmp",
            b"a.crdownload",
            b"a.FILEPART",
        ),
        *(b"Thumbs.db", b"desktop.ini", b"@eaDir", b"__MACOSX", b"note.xmp"),
    ],
)
def test_nobodys_photos_are_ignored(name: bytes) -> None:
    ignore = IgnoreRules(("*.XMP",))
    assert ignore(name)
    assert ignore.path(b"trip/" + name)
    assert ignore.path(name + b"/a.jpg")


@pytest.mark.parametrize("name", [b"a.jpg", b"part", b"tmp.jpg", b"caf\xe9.jpg", b"-rf", b"Thumbs.db.jpg"])
def test_photos_are_not_ignored(name: bytes) -> None:
    assert not IgnoreRules().path(b"trip/" + name)
