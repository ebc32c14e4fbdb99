"""Whether the daemon is well, for who restarts it or calls a person. Pure."""

from typing import NamedTuple

from daemon.retry import PendingRetry

STILL_S = 60.0
"""How long the daemon's loop may stand still (s).

It goes round once a second. What holds it up longest are a few waits for SQLite's lock, five seconds each before one becomes
trouble with a name, and a full look at an inbox of hundreds of thousands of files; a folder on a server that does not answer
holds it up for ever.
"""


class Health(NamedTuple):
    """well: photos are being sorted, or would be. text: what the daemon is at, or why it is not well."""

    well: bool
    text: str


def judge(state: str, trouble: PendingRetry | None, still_s: float, stuck: str | None) -> Health:
    """Judges by the status's `state`, the trouble that is waited out, how long the loop stands still (s), and `Heart.stuck`."""
    if state in {"starting", "stopping"}:
        return Health(False, state)
    if trouble:
        return Health(False, f"waiting: {trouble.reason}")
    if still_s > STILL_S:
        return Health(False, f"stuck: the daemon's loop has not moved for {still_s:.0f} s")
    if stuck:
        return Health(False, f"stuck: {stuck}")
    return Health(True, state)
