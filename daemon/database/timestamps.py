"""Times as text in the database: UTC, ISO 8601 with microseconds, such as 2026-11-24T12:00:00.000000Z."""

from datetime import UTC, datetime, timedelta

_EARLIEST_S = int(datetime(1000, 12, 31, tzinfo=UTC).timestamp())
_LATEST_S = int(datetime(9998, 12, 31, tzinfo=UTC).timestamp())


def format_time(time: datetime) -> str:
    """Formats a time for the database; a naive one counts as local time."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def format_mtime(mtime_ns: int) -> str:
    """Formats a file's modification time (ns since the epoch); years outside 1000-9998 become the nearest of these."""
    seconds, ns = divmod(mtime_ns, 10**9)
    clamped = min(max(seconds, _EARLIEST_S), _LATEST_S)
    return format_time(datetime.fromtimestamp(clamped, UTC).replace(microsecond=ns // 1000))


def file_stamp() -> str:
    """Returns the present time as a part of a file name, such as 20261124T120000.000000Z."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"


def is_same_mtime(mtime_ns: int, text: str) -> bool:
    """Whether a file has the modification time in the database.

    Some filesystems store whole seconds, SFTP and NFSv2 one, FAT two; the kernel may report the exact time for a while.

    Args:
        mtime_ns: Modification time of the file (ns since the epoch).
        text: Time in the database.
    """
    formatted = format_mtime(mtime_ns)
    if formatted == text or mtime_ns % 10**9:
        return formatted == text
    return timedelta() <= datetime.fromisoformat(text) - datetime.fromisoformat(formatted) < timedelta(seconds=2)
