"""Options that several commands have."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer


def folder(given: str) -> Path:
    """A folder that a person names; one with .. in its path without links, as its name is compared with others."""
    if not given:
        raise typer.BadParameter("no folder has an empty name")
    return Path(os.path.realpath(given) if ".." in Path(given).parts else given)


# With a parser: that the folder can't be read is for the command to say, with exit code 1.
Root = Annotated[
    Path,
    typer.Option(
        parser=folder, metavar="PATH", help="Folder that holds inbox/, food/, non_food/, failed/ and foodsort.db."
    ),
]

HELP = (
    "Photos, folders or patterns such as 'food/trip/*.jpg', as they lie or as `foodsort results` shows them;"
    " - reads them from stdin, one a line."
)
Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help=HELP),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and touch nothing.")]


def time_option(asked: str) -> Any:
    """An option that takes a time as people and the database write it."""
    return typer.Option(parser=_time, metavar="TIME", help=f"{asked} {_TIME}.")


_TIME = "2026-11-24, 2026-11-24T18:30 (local) or 2026-11-24T17:30:00Z"


def _time(given: str) -> datetime:
    try:
        return datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the latter: it is in no year of UTC's
        raise typer.BadParameter(f"{given!r} is no time ({error}); write it as {_TIME}") from error
