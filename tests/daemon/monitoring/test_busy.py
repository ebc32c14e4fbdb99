from daemon.monitoring.busy import Utilization


def test_the_slowest_stage_is_the_one_that_worked_longest_lately() -> None:
    now = [1000.0]
    busy = Utilization(clock=lambda: now[0])
    assert busy.slowest is None
    busy.add("classify", 100)
    busy.add("file", 60)
    assert busy.slowest == "classify"
    now[0] += 60
    busy.add("file", 60)
    assert busy.slowest == "file"
    for _ in range(5):
        now[0] += 60
        busy.add("decode", 1)
    assert busy.slowest == "decode"
    now[0] += 600
    assert busy.slowest is None
