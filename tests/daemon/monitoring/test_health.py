from datetime import UTC, datetime

import pytest

from daemon.monitoring.health import STILL_S, assess
from daemon.monitoring.status_document import State
from daemon.retry import PendingRetry

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LOCKED = PendingRetry("database is locked", since=NOW, attempt=3, pause_s=2, next_try=NOW)


@pytest.mark.parametrize(
    ("state", "pending", "still_s", "healthy", "message"),
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
def test_a_daemon_that_sorts_and_moves_is_healthy(
    state: State, pending: PendingRetry | None, still_s: float, healthy: bool, message: str
) -> None:
    assert assess(state, pending, still_s, None) == (healthy, message)


def test_a_stage_that_is_stuck_is_named() -> None:
    assert assess("watching", None, 1, "file has not moved") == (False, "stuck: file has not moved")
    assert assess("waiting", LOCKED, 1, "file has not moved") == (False, "waiting: database is locked")
