from typing import Any

import pytest

from daemon.inbox.companion_queue import CompanionQueue, Finding, decide
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp

NONE, INBOX, UNDONE = Finding("none"), Finding("inbox"), Finding("undone")


def ready(path: bytes = b"IMG_1.MOV", size: int = 7) -> ReadyFile:
    return ReadyFile(path, FileStamp(size=size, mtime_ns=1, inode=2, ctime_ns=3), stable_since=0.0, overdue=False)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("found", "waited_s", "expected"),
    [
        (NONE, 0.0, "wait"),
        (NONE, 599.0, "wait"),
        (NONE, 600.0, "release"),
        (INBOX, 0.0, "wait"),
        (INBOX, 9999.0, "wait"),
        (UNDONE, 9999.0, "stay"),
        (Finding("row", 1, age_s=3.0), 0.0, "follow"),
        (Finding("row", 1, age_s=601.0), 0.0, "wait"),
        (Finding("row", 1, age_s=601.0), 600.0, "follow"),
    ],
)
def test_a_companion_waits_for_its_photo_or_follows_it(found: Finding, waited_s: float, expected: str) -> None:
    assert decide(found, waited_s, 600.0) == expected


def test_a_companion_without_a_photo_is_sorted_by_itself_until_it_changes() -> None:
    clock = Clock()
    queue = CompanionQueue(600.0, clock)
    assert queue.add(ready())
    assert queue.due(10) == [ready()]
    assert queue.settle(ready(), NONE) == "wait"
    assert queue.due(10) == []
    assert queue.holds(b"IMG_1.MOV", ready().stamp)
    clock.now += 600
    assert queue.due(10) == [ready()]
    assert queue.settle(ready(), NONE) == "release"
    assert len(queue) == 0
    assert not queue.add(ready())
    assert queue.add(ready(size=8))


def test_seeing_a_companion_again_does_not_begin_its_wait_again() -> None:
    clock = Clock()
    queue = CompanionQueue(600.0, clock)
    queue.add(ready())
    clock.now += 599
    queue.add(ready())
    clock.now += 1
    assert queue.settle(ready(), NONE) == "release"


def test_a_single_run_waits_for_nothing() -> None:
    queue = CompanionQueue(600.0, Clock())
    queue.add(ready())
    queue.settle(ready(), NONE)
    queue.hurries = True
    assert queue.due(10) == [ready()]
    assert queue.settle(ready(), NONE) == "release"


def test_a_companion_beside_an_undone_photo_does_not_count_as_waiting() -> None:
    queue = CompanionQueue(0.0, Clock())
    queue.add(ready())
    assert len(queue) == 1
    assert queue.settle(ready(), UNDONE) == "stay"
    assert len(queue) == 0
    assert queue.holds(b"IMG_1.MOV", ready().stamp)


def test_pauses_grow_and_many_are_looked_at_in_portions() -> None:
    clock = Clock()
    queue = CompanionQueue(600.0, clock)
    pauses: list[Any] = []
    for number in range(3):
        queue.add(ready(b"%d.MOV" % number))
    assert len(queue.due(2)) == 2
    for _ in range(7):
        queue.settle(ready(b"0.MOV"), INBOX)
        queue.settle(ready(b"1.MOV"), INBOX)
        queue.settle(ready(b"2.MOV"), INBOX)
        due_at = queue.next_due_at()
        assert due_at is not None
        pauses.append(due_at - clock.now)
    assert pauses == [0.5, 1, 2, 4, 8, 15, 15]


def test_a_single_run_looks_again_at_a_sidecar_whose_raw_file_has_left() -> None:
    queue = CompanionQueue(600.0, Clock())
    queue.hurries = True
    queue.add(ready(b"1.CR3.xmp"))
    queue.add(ready(b"1.CR3"), is_photo=True)
    assert queue.settle(ready(b"1.CR3.xmp"), INBOX) == "stay"
    assert len(queue) == 1
    assert queue.settle(ready(b"1.CR3"), Finding("row", 1)) == "follow"
    assert len(queue) == 1
    assert queue.due(10) == [ready(b"1.CR3.xmp")]
    assert queue.settle(ready(b"1.CR3.xmp"), Finding("row", 1)) == "follow"
    assert len(queue) == 0
