"""Options that several commands have."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

# readable=False: that the folder can't be read is for the command to say, with exit code 1.
Root = Annotated[
    Path, typer.Option(readable=False, help="Folder that holds inbox/, food/, non_food/, failed/ and foodsort.db.")
]


def time_option(asked: str) -> Any:
    """An option that takes a time as people and the database write it."""
    form = "2026-11-24, 2026-11-24T18:30 (local) or 2026-11-24T17:30:00Z"
    return typer.Option(parser=datetime.fromisoformat, metavar="TIME", help=f"{asked} {form}.")
