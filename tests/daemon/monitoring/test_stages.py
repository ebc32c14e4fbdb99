import pytest
from prometheus_client import CollectorRegistry

from daemon.monitoring.stages import STILL_S, Stage, StageMonitor


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def stages(registry: CollectorRegistry, clock: Clock) -> StageMonitor:
    stages = StageMonitor(registry, clock)
    stages.start(decode_s=300.0)
    return stages


def test_a_stage_without_work_is_never_stuck(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("file", 3)
    stages.leave("file", 3)
    clock.now += 1e9
    assert stages.stuck is None
    stages.enter("file")
    assert stages.stuck is None
    clock.now += STILL_S + 1
    assert stages.stuck == f"file has not moved for {STILL_S + 1:.0f} s with 1 photos to do"


def test_a_busy_stage_that_makes_progress_is_not_stuck(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("classify", 100)
    for _ in range(99):
        clock.now += STILL_S - 1
        stages.enter("classify", 8)  # more work is no progress
        stages.leave("classify")
        assert stages.stuck is None
    clock.now += STILL_S + 1
    assert stages.stuck


def test_new_work_does_not_hide_a_stuck_stage(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("classify")
    for _ in range(10):
        clock.now += STILL_S / 5
        stages.enter("classify")
    assert stages.stuck


def test_decoding_has_a_limit_of_its_own(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("decode")
    clock.now += 299
    assert stages.stuck is None
    clock.now += 2
    assert stages.stuck


def test_a_stage_that_waits_for_a_retry_is_not_stuck(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("file", 4)
    for _ in range(10):
        clock.now += STILL_S - 1
        stages.reset()
    assert stages.stuck is None
    clock.now += STILL_S + 1
    assert stages.stuck


def test_photos_enter_the_next_stage_when_work_on_them_is_done(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("look_up", 2)
    with stages.work("look_up", 2, then="classify"):
        pass
    clock.now += STILL_S + 1
    assert stages.stuck == f"classify has not moved for {STILL_S + 1:.0f} s with 2 photos to do"
    with stages.work("classify", 2):
        pass
    assert stages.stuck is None


def test_photos_leave_a_stage_that_fails_and_enter_no_other(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("classify")
    with pytest.raises(OSError, match="a fault"), stages.work("classify", then="file"):
        raise OSError("a fault")
    clock.now += STILL_S + 1
    assert stages.stuck is None


def test_a_new_pipeline_starts_without_photos(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("file", 3)
    stages.start(decode_s=1.0)
    clock.now += STILL_S + 1
    assert stages.stuck is None
    stages.enter("decode")
    clock.now += 2
    assert stages.stuck


def work(stages: StageMonitor, clock: Clock, stage: Stage, seconds: float) -> None:
    with stages.work(stage):
        clock.now += seconds


def test_the_slowest_stage_has_the_longest_recent_work(stages: StageMonitor, clock: Clock) -> None:
    clock.now = 1020.0  # the start of a minute
    assert stages.slowest is None
    work(stages, clock, "classify", 40)
    work(stages, clock, "file", 15)
    assert stages.slowest == "classify"
    clock.now = 1080.0
    work(stages, clock, "file", 30)
    assert stages.slowest == "file"
    for minute in range(1, 6):
        clock.now = 1080.0 + 60 * minute
        work(stages, clock, "decode", 1)
    assert stages.slowest == "decode"
    clock.now += 600
    assert stages.slowest is None


def test_workers_share_the_time_of_a_stage(stages: StageMonitor, clock: Clock) -> None:
    with stages.work("decode", workers=4):
        clock.now += 10
    work(stages, clock, "file", 3)
    assert stages.slowest == "file"


def test_work_and_waits_are_observed(stages: StageMonitor, registry: CollectorRegistry, clock: Clock) -> None:
    with stages.work("decode", since=clock.now - 3):
        clock.now += 2
    stages.waited("classify", clock.now - 5)
    labels = {"stage": "decode"}
    assert registry.get_sample_value("foodsort_stage_seconds_sum", labels) == 2
    assert registry.get_sample_value("foodsort_queue_seconds_sum", labels) == 3
    assert registry.get_sample_value("foodsort_queue_seconds_sum", {"stage": "classify"}) == 5
    assert registry.get_sample_value("foodsort_queue_seconds_count", {"stage": "look_up"}) is None


def test_a_metric_that_cannot_be_recorded_stops_no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = StageMonitor(CollectorRegistry())
    monkeypatch.setattr(monitor, "_work_seconds", {})
    monkeypatch.setattr(monitor, "_wait_seconds", {})
    monitor.enter("decode")
    with monitor.work("decode", since=0.0, then="look_up"):
        pass
    assert (monitor._photos["decode"], monitor._photos["look_up"]) == (0, 1)


def test_progress_within_a_photo_counts(stages: StageMonitor, clock: Clock) -> None:
    stages.enter("decode")
    for _ in range(3):
        clock.now += 200
        stages.progress("decode")
    assert stages.stuck is None
    clock.now += 301
    assert stages.stuck is not None
