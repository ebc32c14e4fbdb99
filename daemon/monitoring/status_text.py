"""The daemon's status as a person reads it: a few aligned lines."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from daemon.monitoring.progress import summary
from daemon.monitoring.status_file import StatusDocument


def lines(state: StatusDocument, now: datetime | None = None) -> Iterator[str]:
    """What is known, a line each; what is not is left out."""
    now = now or datetime.now(UTC)
    for name, said in facts(state, now):
        yield f"{name:9} {said}"
    for error in state["last_errors"]:
        where = f"{error['path']}: " if error["path"] else ""
        yield f"{'error':9} {_when(error['at'])}  {error['kind']}: {where}{error['message']}"


def in_short(state: StatusDocument) -> str:
    """One line, for systemctl status."""
    if trouble := state["waiting_for"]:
        return f"waiting: {trouble['what']}"
    queue, errors = state["queue"], state["last_errors"]
    waiting = f"{queue['inbox']} in the inbox, {queue['in_flight']} in flight"
    said = f"{state['state']}; {waiting}, {state['rate_per_min']} in the last minute"
    return said + (f"; last error: {errors[0]['message']}" if errors else "")


def facts(state: StatusDocument, now: datetime) -> Iterator[tuple[str, str]]:
    """What is known but for the last errors: what each is of, in a word, and it."""
    yield "daemon", _life(state, now)
    if trouble := state["waiting_for"]:
        again = max(0, round((_time(trouble["next_try"]) - now).total_seconds()))
        yield (
            "trouble",
            f"{trouble['what']} (for {_ago(trouble['since'], now)}, try {trouble['attempt']}, again in {again} s)",
        )
    if not state["pid"]:
        return
    if state["alive"]:
        more = " or more" if state["more_waiting"] else ""
        yield "queue", f"{state['queue']['inbox']}{more} in the inbox, {state['queue']['in_flight']} in flight"
        if oldest := state["oldest_waiting"]:
            yield "oldest", f"{oldest['path']}, for {_ago(oldest['since'], now)}"
    yield (
        "filed",
        summary(Counter(state["photos"])) + (f"; {state['rate_per_min']} in the last minute" if state["alive"] else ""),
    )
    if state["slowest_stage"]:
        yield "slowest", state["slowest_stage"]
    if state["model"]:
        yield "model", f"{state['model']} on {state['engine']}"
    if drift := state["drift"]:
        alike = "unlike" if drift["shifted"] else "like"
        shares = f"{drift['food']:.0%} food, {drift['unsure']:.0%} unsure, stability index {drift['stability']:.2f}"
        yield "drift", f"the newest {drift['photos']} photos look {alike} those the model was made with ({shares})"
    if events := state["events"]:
        yield "events", events["kind"] + (f": {events['why']}" if events["why"] else "")


def _life(state: StatusDocument, now: datetime) -> str:
    if not state["alive"]:
        return f"not running; the last one began {_when(state['since'])}" if state["since"] else "not running"
    if not state["pid"]:
        return "running; what it is at cannot be read (it may lack the room to write it)"
    return f"{state['state']}, process {state['pid']} for {_ago(state['since'], now)}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _when(text: str) -> str:
    """Local time, to the second."""
    return _time(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _ago(text: str, now: datetime) -> str:
    seconds: Any = max(0, round((now - _time(text)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
