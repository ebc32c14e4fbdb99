import pytest

from daemon.inbox.window import WaitingFile, Window

SETTLE_S = 2.0
OPEN_S = 600.0
A = b"a.jpg"


@pytest.fixture
def window() -> Window:
    """A window of ten files."""
    return Window(10)


def settling(since: float) -> WaitingFile:
    return WaitingFile(since=since, wait_s=SETTLE_S)


def written(since: float) -> WaitingFile:
    return WaitingFile(since=since, wait_s=OPEN_S, writing=True)


def test_the_oldest_file_is_known_until_all_are_cleared(window: Window) -> None:
    window.add(b"second", settling(1))
    window.add(b"first", settling(0))
    assert window.oldest == (b"first", 0)
    window.clear()
    assert (window.oldest, window.pop_due(100), len(window)) == (None, None, 0)


def test_the_file_that_waited_longest_comes_first(window: Window) -> None:
    window.add(b"second", settling(1))
    window.add(b"first", settling(0))
    assert window.next_due_at() == 2
    assert [window.pop_due(3), window.pop_due(3), window.pop_due(3)] == [b"first", b"second", None]


def test_many_small_writes_take_one_place_in_the_queue(window: Window) -> None:
    for moment in range(1000):
        window.add(A, written(moment))
    assert len(window._queue) == 1
    assert window.pop_due(600) is None
    assert window.next_due_at() == 999 + OPEN_S
    assert window.pop_due(999 + OPEN_S) == A
    assert window.pop_due(10**6) is None


def test_a_million_files_written_one_after_another_leave_nothing_behind(window: Window) -> None:
    for number in range(1000):
        path = b"%d" % number
        window.add(path, written(number))
        window.add(path, settling(number))
        assert window.pop_due(number + SETTLE_S) == path
        window.drop(path)
    assert len(window._queue) <= 21
