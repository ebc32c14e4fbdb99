import pytest

from daemon.inbox.readiness import REFUSED_S, ReadinessTracker, ReadyFile
from daemon.inbox.stamp import FileStamp

SETTLE_S = 2.0
OPEN_S = 600.0
EMPTY_S = 10.0
A = b"a.jpg"
STAMP = FileStamp(1000, 1, 7, 1)
GROWN = FileStamp(2000, 2, 7, 2)
EMPTY_FILE = FileStamp(0, 1, 7, 1)


@pytest.fixture
def tracker() -> ReadinessTracker:
    return ReadinessTracker(SETTLE_S, OPEN_S, EMPTY_S)


@pytest.fixture
def window() -> ReadinessTracker:
    """A tracker for ten files."""
    return ReadinessTracker(SETTLE_S, OPEN_S, EMPTY_S, window=10)


def check(tracker: ReadinessTracker, now: float, stamp: FileStamp | None = STAMP) -> ReadyFile | None:
    """Checks the next file that is due at `now`, if any."""
    path = tracker.pop_due(now)
    return tracker.check(path, stamp, now) if path is not None else None


def test_a_file_is_ready_after_two_equal_stamps_settle_s_apart(tracker: ReadinessTracker) -> None:
    tracker.observe(A, STAMP, 0)
    assert check(tracker, 1.9) is None
    assert check(tracker, 2.0) == ReadyFile(A, STAMP, 0, overdue=False)
    assert len(tracker) == 0


def test_a_file_that_changed_waits_again(tracker: ReadinessTracker) -> None:
    tracker.observe(A, STAMP, 0)
    assert check(tracker, 2.0, GROWN) is None
    assert check(tracker, 3.9, GROWN) is None
    assert check(tracker, 4.0, GROWN) == ReadyFile(A, GROWN, 2.0, overdue=False)


def test_an_old_mtime_alone_makes_nothing_ready(tracker: ReadinessTracker) -> None:
    tracker.observe(A, FileStamp(1000, -(10**18), 7, 1), 0)
    assert tracker.pop_due(0) is None


def test_a_file_that_is_written_waits_for_its_close(tracker: ReadinessTracker) -> None:
    tracker.on_modified(A, 0)
    assert check(tracker, 100) is None
    tracker.on_closed(A, 100)
    assert check(tracker, 101.9) is None
    assert check(tracker, 102) == ReadyFile(A, STAMP, 100, overdue=False)


def test_a_writer_that_closes_and_opens_again_restarts_the_wait(tracker: ReadinessTracker) -> None:
    tracker.on_closed(A, 0)
    tracker.on_modified(A, 1)
    assert check(tracker, 50) is None
    tracker.on_closed(A, 50)
    assert check(tracker, 52) == ReadyFile(A, STAMP, 50, overdue=False)


def test_a_file_that_is_never_closed_is_ready_in_the_end(tracker: ReadinessTracker) -> None:
    tracker.on_modified(A, 0)
    tracker.on_modified(A, 5)
    assert check(tracker, 604.9) is None
    assert check(tracker, 605) == ReadyFile(A, STAMP, 5, overdue=True)


def test_a_scan_does_not_make_a_file_ready_that_is_being_written(tracker: ReadinessTracker) -> None:
    tracker.on_modified(A, 0)
    tracker.observe(A, STAMP, 1)
    assert check(tracker, 100) is None


def test_a_file_moved_in_is_ready_at_once_even_if_a_scan_found_it_first(tracker: ReadinessTracker) -> None:
    tracker.observe(A, STAMP, 5, source="scan")
    tracker.on_moved_in(A, STAMP, 5)
    assert check(tracker, 5) == ReadyFile(A, STAMP, 5, overdue=False)
    assert len(tracker) == 0
    assert tracker.pop_due(1000) is None


def test_a_file_moved_in_is_ready_at_once(tracker: ReadinessTracker) -> None:
    tracker.on_moved_in(A, STAMP, 5)
    assert check(tracker, 5) == ReadyFile(A, STAMP, 5, overdue=False)


def test_a_file_observed_again_keeps_its_due_time(tracker: ReadinessTracker) -> None:
    tracker.observe(A, STAMP, 0)
    tracker.observe(A, STAMP, 1.5)
    assert check(tracker, 2) is not None


def test_an_empty_file_is_given_time(tracker: ReadinessTracker) -> None:
    tracker.on_closed(A, 0)
    assert check(tracker, 2, EMPTY_FILE) is None
    assert check(tracker, 9.9, EMPTY_FILE) is None
    assert check(tracker, 10, EMPTY_FILE) == ReadyFile(A, EMPTY_FILE, 0, overdue=False)


def test_an_empty_file_that_is_filled_waits_again(tracker: ReadinessTracker) -> None:
    tracker.observe(A, EMPTY_FILE, 0)
    assert check(tracker, 2, EMPTY_FILE) is None
    assert check(tracker, 10, STAMP) is None
    assert check(tracker, 20, STAMP) is not None


def test_a_file_that_no_longer_exists_is_removed(tracker: ReadinessTracker) -> None:
    tracker.observe(A, STAMP, 0)
    assert check(tracker, 2, None) is None
    assert len(tracker) == 0
    tracker.observe(A, STAMP, 3)
    tracker.remove(A)
    assert tracker.pop_due(100) is None


def test_a_returned_file_waits_until_it_is_stable(tracker: ReadinessTracker) -> None:
    tracker.requeue(A, STAMP, 10, 30)
    tracker.on_moved_in(A, STAMP, 11)  # as our own rename does
    assert check(tracker, 39) is None
    assert check(tracker, 40) == ReadyFile(A, STAMP, 10, overdue=False)


def test_a_file_returned_because_it_is_open_waits_for_its_close(tracker: ReadinessTracker) -> None:
    tracker.requeue_open(A, STAMP, 0)
    tracker.on_moved_in(A, STAMP, 1)
    assert check(tracker, 599) is None
    tracker.on_closed(A, 599)
    assert check(tracker, 601) == ReadyFile(A, STAMP, 599, overdue=False)


def test_only_a_returned_file_has_a_returned_stamp(tracker: ReadinessTracker) -> None:
    tracker.observe(A, STAMP, 0)
    assert tracker.returned_stamp(A) is None
    tracker.requeue(A, STAMP, 0, 30)
    assert tracker.returned_stamp(A) == STAMP
    tracker.on_modified(A, 1)
    assert tracker.returned_stamp(A) is None


def test_another_file_moved_over_a_returned_one_is_ready_at_once(tracker: ReadinessTracker) -> None:
    tracker.requeue(A, STAMP, 0, 30)
    tracker.on_moved_in(A, GROWN, 1)
    assert check(tracker, 1, GROWN) == ReadyFile(A, GROWN, 1, overdue=False)


def test_our_own_rename_does_not_retry_a_refused_file(tracker: ReadinessTracker) -> None:
    tracker.refuse(A, STAMP, 0)
    tracker.on_moved_in(A, STAMP, 0)
    assert check(tracker, 0) is None
    assert len(tracker) == 0
    assert tracker.refused_count == 1


def test_a_refused_file_stays_until_it_changes(tracker: ReadinessTracker) -> None:
    assert tracker.refuse(A, STAMP, 0) is True
    assert tracker.refuse(A, STAMP, 0) is False
    assert tracker.refused_count == 1
    tracker.observe(A, STAMP, 0)
    assert tracker.pop_due(100) is None
    tracker.observe(A, GROWN, 100)
    assert check(tracker, 102, GROWN) is not None
    tracker.remove(A)
    assert tracker.refused_count == 0


def test_a_refused_file_is_tried_again_after_a_long_time(tracker: ReadinessTracker) -> None:
    tracker.refuse(A, STAMP, 0)
    tracker.observe(A, STAMP, REFUSED_S - 1)
    assert tracker.pop_due(REFUSED_S + 100) is None
    tracker.observe(A, STAMP, REFUSED_S)
    assert check(tracker, REFUSED_S + 2) == ReadyFile(A, STAMP, REFUSED_S, overdue=False)
    assert tracker.refuse(A, STAMP, REFUSED_S + 2) is False
    assert tracker.refused_count == 1


def test_a_lost_close_event_is_replaced_by_observation(tracker: ReadinessTracker) -> None:
    tracker.on_modified(A, 0)
    tracker.on_closed(b"other", 0)
    tracker.on_overflow()
    tracker.observe(A, STAMP, 1)
    assert [tracker.pop_due(2), check(tracker, 3)] == [b"other", ReadyFile(A, STAMP, 1, overdue=False)]


def scan_all(tracker: ReadinessTracker, names: list[bytes], now: float) -> list[bytes]:
    """Adds as many files as a scan may add; returns the others."""
    room = tracker.scan_room
    for name in names[:room]:
        tracker.observe(name, STAMP, now, source="scan")
    return names[room:]


def test_a_scan_fills_half_a_window_and_continues_as_files_leave(window: ReadinessTracker) -> None:
    names = [b"%d" % number for number in range(12)]
    window.scanning = True
    remaining = scan_all(window, names, 0)
    assert (len(window), window.scan_room, window.rescan_needed) == (5, 0, False)
    ready_paths = []
    for now in range(2, 100, 3):
        while ready := check(window, now):
            ready_paths.append(ready.path)
        remaining = scan_all(window, remaining, now)
        assert len(window) <= 5
    assert (ready_paths, len(window), window.scan_room) == (names, 0, 5)


def test_events_fill_the_other_half_and_the_rest_needs_a_rescan(window: ReadinessTracker) -> None:
    window.scanning = True
    scan_all(window, [b"%d" % number for number in range(9)], 0)
    for on_event in (window.on_modified, window.on_closed):
        for number in range(3):
            on_event(b"event %d" % number, 0)  # two events of a file take one place
    window.on_moved_in(b"moved in", STAMP, 0)
    assert (len(window), window.rescan_needed) == (9, False)
    window.observe(b"made", STAMP, 0)
    window.observe(b"one too many", STAMP, 0)
    assert (len(window), window.rescan_needed, b"one too many" in window) == (10, True, False)


def test_events_do_not_exclude_a_scan(window: ReadinessTracker) -> None:
    for number in range(20):
        window.on_modified(b"%d" % number, 0)
    assert (len(window), window.scan_room, window.rescan_needed) == (10, 0, True)
    window.scanning = True
    for number in range(5):
        window.remove(b"%d" % number)
        window.on_closed(b"another %d" % number, 0)
    assert (len(window), window.scan_room) == (5, 5)
    assert scan_all(window, [b"listed"], 0) == []


def test_a_scanned_file_with_an_event_leaves_room_for_another(window: ReadinessTracker) -> None:
    window.scanning = True
    scan_all(window, [b"%d" % number for number in range(5)], 0)
    window.on_modified(b"0", 1)
    assert window.scan_room == 1
    scan_all(window, [b"0", b"5"], 2)
    assert check(window, 3) == ReadyFile(b"1", STAMP, 0, overdue=False)  # the one that is being written waits on
    assert window.pop_due(OPEN_S) != b"0"


def test_a_returned_file_is_always_accepted(window: ReadinessTracker) -> None:
    for number in range(20):
        window.on_modified(b"%d" % number, 0)
    window.requeue(b"cut off", STAMP, 0, 30)
    window.requeue_open(b"open", STAMP, 0)
    window.observe(b"changed", STAMP, 0, source="returned")
    assert (len(window), window.scan_room) == (13, 0)
    assert {b"cut off", b"open", b"changed"} <= {window.pop_due(OPEN_S) for _ in range(13)}


def test_removed_files_leave_room_in_the_window(window: ReadinessTracker) -> None:
    window.scanning = True
    scan_all(window, [b"%d" % number for number in range(5)], 0)
    window.on_modified(b"1", 0)
    window.on_overflow()
    assert (len(window), window.scan_room) == (4, 1)
    window.refuse(b"2", STAMP, 0)
    window.remove(b"3")
    assert (len(window), window.scan_room) == (2, 3)
    window.clear()
    assert (len(window), window.scan_room, window.scanning, window.rescan_needed) == (0, 5, False, False)
