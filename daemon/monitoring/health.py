"""Whether the daemon is healthy, and why not. Pure."""

from typing import NamedTuple

from daemon.monitoring.status_document import State
from daemon.retry import PendingRetry

STILL_S = 60.0
"""Longest time without a tick of the main loop (s).

The loop ticks once a second. Its longest delays are a few waits for SQLite's lock, five seconds each before they count
as trouble, and the scan of an inbox with hundreds of thousands of files. A folder on a server that does not answer
stops it without end.
"""


class Health(NamedTuple):
    """Health of the daemon.

    Attributes:
        healthy: Whether it sorts photos, or would sort them.
        message: State of the daemon, or why it is not healthy.
    """

    healthy: bool
    message: str


def assess(state: State, pending: PendingRetry | None, still_s: float, stuck: str | None) -> Health:
    """Assesses the health of the daemon.

    Args:
        state: State as in the status document.
        pending: Retry that the daemon waits for.
        still_s: Time since the last tick of the main loop (s).
        stuck: Message of `StageMonitor.stuck`.
    """
    if state in {"starting", "stopping"}:
        return Health(healthy=False, message=state)
    if pending:
        return Health(healthy=False, message=f"waiting: {pending.reason}")
    if still_s > STILL_S:
        return Health(healthy=False, message=f"stuck: the daemon's loop has not moved for {still_s:.0f} s")
    if stuck:
        return Health(healthy=False, message=f"stuck: {stuck}")
    return Health(healthy=True, message=state)
