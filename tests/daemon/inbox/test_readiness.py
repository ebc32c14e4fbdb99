import os
import time
from pathlib import Path

import pytest

from daemon.inbox.readiness import REFUSED_S, FileStamp, IgnoreRules, ReadinessTracker, ReadyFile

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
    path = inbox.due(now)
    return inbox.judge(path, look, now) if path is not None else None


def test_a_found_file_is_ready_after_two_equal_looks_over_the_quiet_time(inbox: ReadinessTracker) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 1.9) is None
    assert check(inbox, 2.0) == ReadyFile(A, LOOK, 0, overdue=False)
    assert len(inbox) == 0


def test_a_found_file_that_changed_waits_again(inbox: ReadinessTracker) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 2.0, GROWN) is None
    assert check(inbox, 3.9, GROWN) is None
    assert check(inbox, 4.0, GROWN) == ReadyFile(A, GROWN, 2.0, overdue=False)


def test_an_old_mtime_alone_makes_nothing_ready(inbox: ReadinessTracker) -> None:
    inbox.found(A, FileStamp(1000, -(10**18), 7, 1), 0)
    assert inbox.due(0) is None


def test_a_file_that_is_written_waits_for_its_close(inbox: ReadinessTracker) -> None:
    inbox.modified(A, 0)
    assert check(inbox, 100) is None
    inbox.closed(A, 100)
    assert check(inbox, 101.9) is None
    assert check(inbox, 102) == ReadyFile(A, LOOK, 100, overdue=False)


def test_a_writer_that_closes_and_opens_again_starts_the_quiet_time_again(inbox: ReadinessTracker) -> None:
    inbox.closed(A, 0)
    inbox.modified(A, 1)
    assert check(inbox, 50) is None
    inbox.closed(A, 50)
    assert check(inbox, 52) == ReadyFile(A, LOOK, 50, overdue=False)


def test_a_file_that_is_never_closed_is_taken_in_the_end(inbox: ReadinessTracker) -> None:
    inbox.modified(A, 0)
    inbox.modified(A, 5)
    assert check(inbox, 604.9) is None
    assert check(inbox, 605) == ReadyFile(A, LOOK, 5, overdue=True)


def test_a_rescan_does_not_hurry_a_file_that_is_written(inbox: ReadinessTracker) -> None:
    inbox.modified(A, 0)
    inbox.found(A, LOOK, 1)
    assert check(inbox, 100) is None


def test_a_file_moved_in_is_ready_at_once_also_when_a_listing_found_it_first(inbox: ReadinessTracker) -> None:
    inbox.found(A, LOOK, 5, by="listing")
    inbox.moved_in(A, LOOK, 5)
    assert check(inbox, 5) == ReadyFile(A, LOOK, 5, overdue=False)
    assert len(inbox) == 0
    assert inbox.due(1000) is None


def test_a_file_moved_in_is_ready_at_once(inbox: ReadinessTracker) -> None:
    inbox.moved_in(A, LOOK, 5)
    assert check(inbox, 5) == ReadyFile(A, LOOK, 5, overdue=False)


def test_a_file_found_again_keeps_its_place(inbox: ReadinessTracker) -> None:
    inbox.found(A, LOOK, 0)
    inbox.found(A, LOOK, 1.5)
    assert check(inbox, 2) is not None


def test_an_empty_file_is_given_time(inbox: ReadinessTracker) -> None:
    inbox.closed(A, 0)
    assert check(inbox, 2, ZERO) is None
    assert check(inbox, 9.9, ZERO) is None
    assert check(inbox, 10, ZERO) == ReadyFile(A, ZERO, 0, overdue=False)


def test_an_empty_file_that_fills_starts_again(inbox: ReadinessTracker) -> None:
    inbox.found(A, ZERO, 0)
    assert check(inbox, 2, ZERO) is None
    assert check(inbox, 10, LOOK) is None
    assert check(inbox, 20, LOOK) is not None


def test_a_file_that_went_is_forgotten(inbox: ReadinessTracker) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 2, None) is None
    assert len(inbox) == 0
    inbox.found(A, LOOK, 3)
    inbox.gone(A)
    assert inbox.due(100) is None


def test_a_file_put_back_waits_as_long_as_it_has_to_stand_still(inbox: ReadinessTracker) -> None:
    inbox.put_back(A, LOOK, 10, 30)
    inbox.moved_in(A, LOOK, 11)  # what our own renaming looks like
    assert check(inbox, 39) is None
    assert check(inbox, 40) == ReadyFile(A, LOOK, 10, overdue=False)


def test_a_file_put_back_because_it_is_open_waits_for_its_close(inbox: ReadinessTracker) -> None:
    inbox.put_back_open(A, LOOK, 0)
    inbox.moved_in(A, LOOK, 1)
    assert check(inbox, 599) is None
    inbox.closed(A, 599)
    assert check(inbox, 601) == ReadyFile(A, LOOK, 599, overdue=False)


def test_another_file_moved_over_one_put_back_is_ready_at_once(inbox: ReadinessTracker) -> None:
    inbox.put_back(A, LOOK, 0, 30)
    inbox.moved_in(A, GROWN, 1)
    assert check(inbox, 1, GROWN) == ReadyFile(A, GROWN, 1, overdue=False)


def test_our_own_renaming_does_not_try_a_refused_file_again(inbox: ReadinessTracker) -> None:
    inbox.refuse(A, LOOK, 0)
    inbox.moved_in(A, LOOK, 0)
    assert check(inbox, 0) is None
    assert len(inbox) == 0
    assert inbox.refused == 1


def test_a_refused_file_stays_until_it_changes(inbox: ReadinessTracker) -> None:
    assert inbox.refuse(A, LOOK, 0) is True
    assert inbox.refuse(A, LOOK, 0) is False
    assert inbox.refused == 1
    inbox.found(A, LOOK, 0)
    assert inbox.due(100) is None
    inbox.found(A, GROWN, 100)
    assert check(inbox, 102, GROWN) is not None
    inbox.gone(A)
    assert inbox.refused == 0


def test_a_refused_file_is_tried_again_after_a_long_time(inbox: ReadinessTracker) -> None:
    inbox.refuse(A, LOOK, 0)
    inbox.found(A, LOOK, REFUSED_S - 1)
    assert inbox.due(REFUSED_S + 100) is None
    inbox.found(A, LOOK, REFUSED_S)
    assert check(inbox, REFUSED_S + 2) == ReadyFile(A, LOOK, REFUSED_S, overdue=False)
    assert inbox.refuse(A, LOOK, REFUSED_S + 2) is False
    assert inbox.refused == 1


def test_a_close_that_was_lost_is_found_out_by_looking(inbox: ReadinessTracker) -> None:
    inbox.modified(A, 0)
    inbox.closed(b"other", 0)
    inbox.events_lost()
    inbox.found(A, LOOK, 1)
    assert [inbox.due(2), check(inbox, 3)] == [b"other", ReadyFile(A, LOOK, 1, overdue=False)]


def test_the_oldest_is_known_until_everything_is_forgotten(inbox: ReadinessTracker) -> None:
    inbox.found(b"second", LOOK, 1)
    inbox.found(b"first", LOOK, 0)
    assert inbox.oldest == (b"first", 0)
    inbox.forget()
    assert (inbox.oldest, inbox.due(100), len(inbox)) == (None, None, 0)


def test_the_longest_waiting_comes_first_and_the_next_time_is_known(inbox: ReadinessTracker) -> None:
    inbox.found(b"second", LOOK, 1)
    inbox.found(b"first", LOOK, 0)
    assert inbox.next_due() == 2
    assert [inbox.due(3), inbox.due(3), inbox.due(3)] == [b"first", b"second", None]


def test_many_small_writes_do_not_pile_up(inbox: ReadinessTracker) -> None:
    for moment in range(1000):
        inbox.modified(A, float(moment))
    assert inbox.due(600) is None
    assert inbox.next_due() == 999 + OPEN
    assert inbox.due(999 + OPEN) == A
    assert inbox.due(10**6) is None


def test_a_million_files_written_one_after_another_leave_nothing_behind() -> None:
    inbox = ReadinessTracker(SETTLE, OPEN, EMPTY, window=10)
    for number in range(1000):
        inbox.modified(b"%d" % number, number)
        inbox.closed(b"%d" % number, number)
        assert check(inbox, number + SETTLE) is not None
    assert len(inbox._queue) <= 21


def list_all(inbox: ReadinessTracker, names: list[bytes], now: float) -> list[bytes]:
    """Lets a listing bring as many files as there is room for; returns those that it has yet to bring."""
    fitting = inbox.room
    for name in names[:fitting]:
        inbox.found(name, LOOK, now, by="listing")
    return names[fitting:]


def test_a_listing_brings_half_a_window_and_goes_on_as_files_leave(window: ReadinessTracker) -> None:
    names = [b"%d" % number for number in range(12)]
    window.listing = True
    left = list_all(window, names, 0)
    assert (len(window), window.room, window.missed) == (5, 0, False)
    taken = []
    for now in range(2, 100, 3):
        while one := check(window, now):
            taken.append(one.path)
        left = list_all(window, left, now)
        assert len(window) <= 5
    assert (taken, len(window), window.room) == (names, 0, 5)


def test_events_fill_the_other_half_and_what_does_not_fit_is_missed(window: ReadinessTracker) -> None:
    window.listing = True
    list_all(window, [b"%d" % number for number in range(9)], 0)
    for tell in (window.modified, window.closed):
        for number in range(3):
            tell(b"told %d" % number, 0)  # one told twice takes one place
    window.moved_in(b"moved in", LOOK, 0)
    assert (len(window), window.missed) == (9, False)
    window.found(b"made", LOOK, 0)
    window.found(b"one too many", LOOK, 0)
    assert (len(window), window.missed, b"one too many" in window) == (10, True, False)


def test_events_do_not_keep_a_listing_out(window: ReadinessTracker) -> None:
    for number in range(20):
        window.modified(b"%d" % number, 0)
    assert (len(window), window.room, window.missed) == (10, 0, True)
    window.listing = True
    for number in range(5):
        window.gone(b"%d" % number)
        window.closed(b"another %d" % number, 0)
    assert (len(window), window.room) == (5, 5)
    assert list_all(window, [b"listed"], 0) == []


def test_a_listed_file_that_an_event_tells_of_leaves_room_for_another(window: ReadinessTracker) -> None:
    window.listing = True
    list_all(window, [b"%d" % number for number in range(5)], 0)
    window.modified(b"0", 1)
    assert window.room == 1
    list_all(window, [b"0", b"5"], 2)
    assert check(window, 3) == ReadyFile(b"1", LOOK, 0, overdue=False)  # the one that is written waits on
    assert window.due(OPEN) != b"0"


def test_a_file_that_we_put_back_is_always_let_in(window: ReadinessTracker) -> None:
    for number in range(20):
        window.modified(b"%d" % number, 0)
    window.put_back(b"cut off", LOOK, 0, 30)
    window.put_back_open(b"open", LOOK, 0)
    window.found(b"changed", LOOK, 0, by="us")
    assert (len(window), window.room) == (13, 0)
    assert {b"cut off", b"open", b"changed"} <= {window.due(OPEN) for _ in range(13)}


def test_what_is_forgotten_leaves_the_whole_window_free(window: ReadinessTracker) -> None:
    window.listing = True
    list_all(window, [b"%d" % number for number in range(5)], 0)
    window.modified(b"1", 0)
    window.events_lost()
    assert (len(window), window.room) == (4, 1)
    window.refuse(b"2", LOOK, 0)
    window.gone(b"3")
    assert (len(window), window.room) == (2, 3)
    window.forget()
    assert (len(window), window.room, window.listing, window.missed) == (0, 5, False, False)


def test_of_a_file_with_other_names_the_time_that_they_change_tells_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"photo")
    alone = FileStamp.of(one.stat())
    os.link(one, other)
    before, inbox = FileStamp.of(one.stat()), ReadinessTracker(SETTLE, OPEN, EMPTY)
    inbox.found(A, before, 0)
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
