"""Options that several commands share."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

OutputFormat = Literal["table", "json", "jsonl", "csv"]
TextFormat = Literal["text", "json"]


def folder(path: str) -> Path:
    """Parses a folder. A path with `..` is resolved, since its parts are compared with other paths."""
    if not path:
        raise typer.BadParameter("a folder needs a name")
    return Path(os.path.realpath(path) if ".." in Path(path).parts else path)


# Parsed by `folder` instead of Typer: an unreadable folder is an error of the command, with exit code 1.
Root = Annotated[
    Path,
    typer.Option(parser=folder, metavar="PATH", help="Folder with inbox/, food/, non_food/, failed/ and foodsort.db."),
]

PATHS_HELP = (
    "Photos, folders or patterns such as 'food/trip/*.jpg', as the disk has them or as `foodsort results` shows them;"
    " - reads one a line from stdin."
)
Paths = Annotated[list[str] | None, typer.Argument(metavar="PATH", help=PATHS_HELP)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
Format = Annotated[TextFormat, typer.Option(help="Output format.")]
ModelBundle = Annotated[Path | None, typer.Option(help="Model bundle (default: the one shipped with foodsort).")]

_TIME_FORMS = "2026-11-24, 2026-11-24T18:30 (local) or 2026-11-24T17:30:00Z"


def time_option(effect: str) -> Any:
    """An option for a date or a time, in the format of the database or as people write it."""
    return typer.Option(parser=_time, metavar="TIME", help=f"{effect}: {_TIME_FORMS}.")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # OverflowError: a year that UTC does not have
        raise typer.BadParameter(f"{text!r} is not a time ({error}); write it as {_TIME_FORMS}") from error
