import pytest

from daemon.monitoring.heart import STILL_S, StageMonitor


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heart(clock: Clock) -> StageMonitor:
    return StageMonitor(300.0, clock)


def test_a_stage_without_work_may_stand_still_for_years(heart: StageMonitor, clock: Clock) -> None:
    heart.comes("file", 3)
    heart.goes("file", 3)
    clock.now += 1e9
    assert heart.stuck is None
    heart.comes("file")
    assert heart.stuck is None
    clock.now += STILL_S + 1
    assert heart.stuck == f"file has not moved for {STILL_S + 1:.0f} s with 1 photos to do"


def test_a_stage_that_gets_something_done_is_not_stuck_however_much_it_has(heart: StageMonitor, clock: Clock) -> None:
    heart.comes("classify", 100)
    for _ in range(99):
        clock.now += STILL_S - 1
        heart.comes("classify", 8)  # more work is no move
        heart.goes("classify")
        assert heart.stuck is None
    clock.now += STILL_S + 1
    assert heart.stuck


def test_work_that_comes_does_not_hide_that_none_is_done(heart: StageMonitor, clock: Clock) -> None:
    heart.comes("classify")
    for _ in range(10):
        clock.now += STILL_S / 5
        heart.comes("classify")
    assert heart.stuck


def test_decoding_has_the_time_that_its_photos_are_given(heart: StageMonitor, clock: Clock) -> None:
    heart.comes("decode")
    clock.now += 299
    assert heart.stuck is None
    clock.now += 2
    assert heart.stuck


def test_trouble_that_is_waited_out_is_no_standstill(heart: StageMonitor, clock: Clock) -> None:
    heart.comes("file", 4)
    for _ in range(10):
        clock.now += STILL_S - 1
        heart.excuse()
    assert heart.stuck is None
    clock.now += STILL_S + 1
    assert heart.stuck
