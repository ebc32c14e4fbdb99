from datetime import UTC, datetime

import pytest

from daemon.monitoring.health import STILL_S, judge
from daemon.retry import PendingRetry

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LOCKED = PendingRetry("database is locked", since=NOW, attempt=3, pause_s=2, next_try=NOW)


@pytest.mark.parametrize(
    ("state", "trouble", "still_s", "well", "text"),
    [
        ("watching", None, 1, True, "watching"),
        ("polling", None, STILL_S, True, "polling"),
        ("starting", None, 1, False, "starting"),
        ("stopping", LOCKED, 1, False, "stopping"),
        ("waiting", LOCKED, 1, False, "waiting: database is locked"),
        ("waiting", LOCKED, 100, False, "waiting: database is locked"),
        ("watching", None, 75.4, False, "stuck: the daemon's loop has not moved for 75 s"),
    ],
)
def test_who_sorts_and_moves_is_well(
    state: str, trouble: PendingRetry | None, still_s: float, well: bool, text: str
) -> None:
    assert judge(state, trouble, still_s, None) == (well, text)


def test_a_stage_that_is_stuck_is_named() -> None:
    assert judge("watching", None, 1, "file has not moved") == (False, "stuck: file has not moved")
    assert judge("waiting", LOCKED, 1, "file has not moved") == (False, "waiting: database is locked")
