"""The status of the daemon as text for people: a few aligned lines."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from daemon.monitoring.progress import summary
from daemon.monitoring.status_document import DriftStatus, RetryStatus, StatusDocument


def lines(status: StatusDocument, now: datetime | None = None) -> Iterator[str]:
    """Yields a line for each known fact and each recent error."""
    now = now or datetime.now(UTC)
    for name, text in facts(status, now):
        yield f"{name:9} {text}"
    for error in status["last_errors"]:
        path = f"{error['path']}: " if error["path"] else ""
        yield f"{'error':9} {_local_time(error['at'])}  {error['kind']}: {path}{error['message']}"


def in_short(status: StatusDocument) -> str:
    """Returns one line, for `systemctl status`."""
    if retry := status["waiting_for"]:
        return f"waiting: {retry['what']}"
    queue = status["queue"]
    errors = status["last_errors"]
    waiting = f"{queue['inbox']} in the inbox, {queue['in_flight']} in flight"
    line = f"{status['state']}; {waiting}, {status['rate_per_min']} in the last minute"
    return line + (f"; last error: {errors[0]['message']}" if errors else "")


def facts(status: StatusDocument, now: datetime) -> Iterator[tuple[str, str]]:
    """Yields the name and the text of each known fact, recent errors excepted."""
    yield "daemon", _process(status, now)
    if retry := status["waiting_for"]:
        yield "trouble", _retry(retry, now)
    if not status["pid"]:
        return
    rate = ""
    if status["alive"]:
        more = " or more" if status["more_waiting"] else ""
        yield "queue", f"{status['queue']['inbox']}{more} in the inbox, {status['queue']['in_flight']} in flight"
        if oldest := status["oldest_waiting"]:
            yield "oldest", f"{oldest['path']}, for {_age(oldest['since'], now)}"
        rate = f"; {status['rate_per_min']} in the last minute"
    yield "filed", summary(Counter(status["photos"])) + rate
    if status["slowest_stage"]:
        yield "slowest", status["slowest_stage"]
    if status["model"]:
        yield "model", f"{status['model']} on {status['engine']}"
    if drift := status["drift"]:
        yield "drift", _drift(drift)
    if events := status["events"]:
        yield "events", events["kind"] + (f": {events['why']}" if events["why"] else "")


def _process(status: StatusDocument, now: datetime) -> str:
    if not status["alive"]:
        return f"not running; the last one began {_local_time(status['since'])}" if status["since"] else "not running"
    if not status["pid"] or not status["since"]:
        return "running; its state cannot be read (the disk may have no room for it)"
    return f"{status['state']}, process {status['pid']} for {_age(status['since'], now)}"


def _retry(retry: RetryStatus, now: datetime) -> str:
    pause_s = max(0, round((_parse(retry["next_try"]) - now).total_seconds()))
    return f"{retry['what']} (for {_age(retry['since'], now)}, try {retry['attempt']}, again in {pause_s} s)"


def _drift(drift: DriftStatus) -> str:
    alike = "unlike" if drift["shifted"] else "like"
    shares = f"{drift['food']:.0%} food, {drift['unsure']:.0%} unsure, stability index {drift['stability']:.2f}"
    return f"the newest {drift['photos']} photos look {alike} those the model was made with ({shares})"


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _local_time(text: str) -> str:
    """Formats a time as local time, to the second."""
    return _parse(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _age(text: str, now: datetime) -> str:
    seconds = max(0, round((now - _parse(text)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
