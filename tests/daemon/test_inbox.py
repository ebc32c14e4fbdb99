import pytest

from daemon.inbox import REFUSED_S, Ignore, Inbox, Look, Ready

SETTLE, OPEN, EMPTY = 2.0, 600.0, 10.0
A = b"a.jpg"
LOOK = Look(1000, 1, 7, 1)
GROWN = Look(2000, 2, 7, 2)
ZERO = Look(0, 1, 7, 1)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(SETTLE, OPEN, EMPTY)


def check(inbox: Inbox, now: float, look: Look | None = LOOK) -> Ready | None:
    """What a look at `now` gives, when one is due."""
    path = inbox.due(now)
    return inbox.judge(path, look, now) if path is not None else None


def test_a_found_file_is_ready_after_two_equal_looks_over_the_quiet_time(inbox: Inbox) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 1.9) is None
    assert check(inbox, 2.0) == Ready(A, LOOK, 0, overdue=False)
    assert len(inbox) == 0


def test_a_found_file_that_changed_waits_again(inbox: Inbox) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 2.0, GROWN) is None
    assert check(inbox, 3.9, GROWN) is None
    assert check(inbox, 4.0, GROWN) == Ready(A, GROWN, 2.0, overdue=False)


def test_an_old_mtime_alone_makes_nothing_ready(inbox: Inbox) -> None:
    inbox.found(A, Look(1000, -(10**18), 7, 1), 0)
    assert inbox.due(0) is None


def test_a_file_that_is_written_waits_for_its_close(inbox: Inbox) -> None:
    inbox.modified(A, 0)
    assert check(inbox, 100) is None
    inbox.closed(A, 100)
    assert check(inbox, 101.9) is None
    assert check(inbox, 102) == Ready(A, LOOK, 100, overdue=False)


def test_a_writer_that_closes_and_opens_again_starts_the_quiet_time_again(inbox: Inbox) -> None:
    inbox.closed(A, 0)
    inbox.modified(A, 1)
    assert check(inbox, 50) is None
    inbox.closed(A, 50)
    assert check(inbox, 52) == Ready(A, LOOK, 50, overdue=False)


def test_a_file_that_is_never_closed_is_taken_in_the_end(inbox: Inbox) -> None:
    inbox.modified(A, 0)
    inbox.modified(A, 5)
    assert check(inbox, 604.9) is None
    assert check(inbox, 605) == Ready(A, LOOK, 5, overdue=True)


def test_a_rescan_does_not_hurry_a_file_that_is_written(inbox: Inbox) -> None:
    inbox.modified(A, 0)
    inbox.found(A, LOOK, 1)
    assert check(inbox, 100) is None


def test_a_file_moved_in_is_ready_at_once(inbox: Inbox) -> None:
    inbox.moved_in(A, LOOK, 5)
    assert check(inbox, 5) == Ready(A, LOOK, 5, overdue=False)


def test_a_file_found_again_keeps_its_place(inbox: Inbox) -> None:
    inbox.found(A, LOOK, 0)
    inbox.found(A, LOOK, 1.5)
    assert check(inbox, 2) is not None


def test_an_empty_file_is_given_time(inbox: Inbox) -> None:
    inbox.closed(A, 0)
    assert check(inbox, 2, ZERO) is None
    assert check(inbox, 9.9, ZERO) is None
    assert check(inbox, 10, ZERO) == Ready(A, ZERO, 0, overdue=False)


def test_an_empty_file_that_fills_starts_again(inbox: Inbox) -> None:
    inbox.found(A, ZERO, 0)
    assert check(inbox, 2, ZERO) is None
    assert check(inbox, 10, LOOK) is None
    assert check(inbox, 20, LOOK) is not None


def test_a_file_that_went_is_forgotten(inbox: Inbox) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 2, None) is None
    assert len(inbox) == 0
    inbox.found(A, LOOK, 3)
    inbox.gone(A)
    assert inbox.due(100) is None


def test_a_file_put_back_waits_as_long_as_it_has_to_stand_still(inbox: Inbox) -> None:
    inbox.put_back(A, LOOK, 10, 30)
    inbox.moved_in(A, LOOK, 11)  # what our own renaming looks like
    assert check(inbox, 39) is None
    assert check(inbox, 40) == Ready(A, LOOK, 10, overdue=False)


def test_a_file_put_back_because_it_is_open_waits_for_its_close(inbox: Inbox) -> None:
    inbox.put_back_open(A, LOOK, 0)
    inbox.moved_in(A, LOOK, 1)
    assert check(inbox, 599) is None
    inbox.closed(A, 599)
    assert check(inbox, 601) == Ready(A, LOOK, 599, overdue=False)


def test_another_file_moved_over_one_put_back_is_ready_at_once(inbox: Inbox) -> None:
    inbox.put_back(A, LOOK, 0, 30)
    inbox.moved_in(A, GROWN, 1)
    assert check(inbox, 1, GROWN) == Ready(A, GROWN, 1, overdue=False)


def test_our_own_renaming_does_not_try_a_refused_file_again(inbox: Inbox) -> None:
    inbox.refuse(A, LOOK, 0)
    inbox.moved_in(A, LOOK, 0)
    assert check(inbox, 0) is None
    assert len(inbox) == 0
    assert inbox.refused == 1


def test_a_refused_file_stays_until_it_changes(inbox: Inbox) -> None:
    assert inbox.refuse(A, LOOK, 0) is True
    assert inbox.refuse(A, LOOK, 0) is False
    assert inbox.refused == 1
    inbox.found(A, LOOK, 0)
    assert inbox.due(100) is None
    inbox.found(A, GROWN, 100)
    assert check(inbox, 102, GROWN) is not None
    inbox.gone(A)
    assert inbox.refused == 0


def test_a_refused_file_is_tried_again_after_a_long_time(inbox: Inbox) -> None:
    inbox.refuse(A, LOOK, 0)
    inbox.found(A, LOOK, REFUSED_S - 1)
    assert inbox.due(REFUSED_S + 100) is None
    inbox.found(A, LOOK, REFUSED_S)
    assert check(inbox, REFUSED_S + 2) == Ready(A, LOOK, REFUSED_S, overdue=False)
    assert inbox.refuse(A, LOOK, REFUSED_S + 2) is False
    assert inbox.refused == 1


def test_a_close_that_was_lost_is_found_out_by_looking(inbox: Inbox) -> None:
    inbox.modified(A, 0)
    inbox.closed(b"other", 0)
    inbox.events_lost()
    inbox.found(A, LOOK, 1)
    assert [inbox.due(2), check(inbox, 3)] == [b"other", Ready(A, LOOK, 1, overdue=False)]


def test_the_oldest_is_known_until_everything_is_forgotten(inbox: Inbox) -> None:
    inbox.found(b"second", LOOK, 1)
    inbox.found(b"first", LOOK, 0)
    assert inbox.oldest == (b"first", 0)
    inbox.forget()
    assert (inbox.oldest, inbox.due(100), len(inbox)) == (None, None, 0)


def test_the_longest_waiting_comes_first_and_the_next_time_is_known(inbox: Inbox) -> None:
    inbox.found(b"second", LOOK, 1)
    inbox.found(b"first", LOOK, 0)
    assert inbox.next_due() == 2
    assert [inbox.due(3), inbox.due(3), inbox.due(3)] == [b"first", b"second", None]


def test_many_small_writes_do_not_pile_up(inbox: Inbox) -> None:
    for moment in range(1000):
        inbox.modified(A, float(moment))
    assert inbox.due(600) is None
    assert inbox.next_due() == 999 + OPEN
    assert inbox.due(999 + OPEN) == A
    assert inbox.due(10**6) is None


def test_a_held_file_waits_for_nothing_until_it_changes_or_is_released(inbox: Inbox) -> None:
    inbox.found(A, LOOK, 0)
    assert check(inbox, 2) is not None
    inbox.hold(A, LOOK)
    inbox.found(A, LOOK, 3)
    assert (len(inbox), inbox.refused, inbox.held) == (0, 0, {A: LOOK})
    inbox.found(A, GROWN, 4)
    assert check(inbox, 6, GROWN) == Ready(A, GROWN, 4, overdue=False)
    inbox.gone(A)
    inbox.hold(A, LOOK)
    inbox.release(A)
    inbox.found(A, LOOK, 10)
    assert check(inbox, 12) is not None


def test_a_close_lets_a_held_file_be_looked_at_again(inbox: Inbox) -> None:
    inbox.hold(A, LOOK)
    inbox.closed(A, 0)
    assert check(inbox, 2) == Ready(A, LOOK, 0, overdue=False)


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
    ignore = Ignore(("*.XMP",))
    assert ignore(name)
    assert ignore.path(b"trip/" + name)
    assert ignore.path(name + b"/a.jpg")


@pytest.mark.parametrize("name", [b"a.jpg", b"part", b"tmp.jpg", b"caf\xe9.jpg", b"-rf", b"Thumbs.db.jpg"])
def test_photos_are_not_ignored(name: bytes) -> None:
    assert not Ignore().path(b"trip/" + name)
