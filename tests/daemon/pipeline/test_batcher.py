import threading
from typing import cast

import pytest

from daemon.pipeline.batcher import Batcher, batch_size, closes
from daemon.pipeline.decode import Decoded

PHOTOS = cast(list[Decoded], [f"photo {number}" for number in range(10)])


@pytest.mark.parametrize(
    ("waiting", "oldest_s", "coming", "expected"),
    [
        (0, 0.0, 0, False),
        (0, 9.0, 3, False),
        (1, 0.0, 1, False),
        (1, 0.0, 0, True),
        (4, 0.0, 5, True),
        (1, 0.2, 5, True),
        (3, 0.19, 1, False),
    ],
)
def test_a_batch_closes_when_full_or_old_or_alone(
    waiting: int, oldest_s: float, coming: int, *, expected: bool
) -> None:
    assert closes(waiting, oldest_s, coming, size=4, max_delay_s=0.2) is expected


@pytest.mark.parametrize(
    ("remaining", "streams", "expected"),
    [(1, 2, 4), (8, 2, 4), (9, 2, 5), (28, 2, 14), (48, 2, 24), (96, 2, 24), (28, 1, 24), (96, 8, 12)],
)
def test_the_last_photos_are_shared_evenly_among_the_streams(remaining: int, streams: int, expected: int) -> None:
    assert batch_size(remaining, streams=streams, max_size=24) == expected


def test_a_batch_is_never_larger_than_the_setting() -> None:
    assert batch_size(100, streams=1, max_size=1) == 1


def test_batches_keep_the_order_and_the_largest_size() -> None:
    waits: list[float] = []
    batcher = Batcher(streams=1, max_size=4, max_delay_s=60, coming=lambda: 0, on_take=waits.append)
    for photo in PHOTOS:
        batcher.put(photo)
    batches = [batcher.take() for _ in range(3)]
    assert batches == [PHOTOS[:4], PHOTOS[4:8], PHOTOS[8:]]
    assert waits == sorted(waits)
    assert len(waits) == len(PHOTOS)


def test_a_photo_waits_until_no_other_is_coming() -> None:
    coming = [1]
    batcher = Batcher(streams=1, max_size=4, max_delay_s=60, coming=lambda: coming[0], on_take=lambda _: None)
    batches: list[list[Decoded] | None] = []
    taker = threading.Thread(target=lambda: batches.append(batcher.take()))
    taker.start()
    batcher.put(PHOTOS[0])
    taker.join(0.1)
    assert taker.is_alive()
    coming[0] = 0
    batcher.nudge()
    taker.join(10)
    assert batches == [[PHOTOS[0]]]


def test_the_end_returns_the_waiting_photos_and_ends_take() -> None:
    batcher = Batcher(streams=1, max_size=4, max_delay_s=60, coming=lambda: 1, on_take=lambda _: None)
    batcher.put(PHOTOS[0])
    assert batcher.end() == [PHOTOS[0]]
    assert batcher.take() is None
