"""Options that several commands have."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

# readable=False: that the folder can't be read is for the command to say, with exit code 1.
Root = Annotated[
    Path, typer.Option(readable=False, help="Folder that holds inbox/, food/, non_food/, failed/ and foodsort.db.")
]


def time_option(asked: str) -> Any:
    """An option that takes a time as people and the database write it."""
    return typer.Option(parser=_time, metavar="TIME", help=f"{asked} {_TIME}.")


_TIME = "2026-11-24, 2026-11-24T18:30 (local) or 2026-11-24T17:30:00Z"


def _time(given: str) -> datetime:
    try:
        return datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the latter: it is in no year of UTC's
        raise typer.BadParameter(f"{given!r} is no time ({error}); write it as {_TIME}") from error
