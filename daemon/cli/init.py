"""`foodsort init`: creates a root."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import folder
from models.filenames import escape_name


def init(
    directory: Annotated[Path, typer.Argument(parser=folder, metavar="DIR", help="Folder to create or complete.")],
) -> None:
    """Create a root: its folders, and a foodsort.toml that explains every setting.

    Example: foodsort init photos
    """
    from daemon.settings import FILE, FolderSettings
    from daemon.settings_text import template

    folders = FolderSettings()
    for name in (folders.inbox, folders.food, folders.non_food, folders.failed):
        (directory / name).mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    if path.exists():
        typer.echo(f"{escape_name(str(path))} exists already and is unchanged")
    else:
        # It may get a password. The group can read it: its members' commands need the settings.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as file:
            file.write(template())
        name = escape_name(str(directory))
        typer.echo(f"{name} is ready; start with: foodsort run --root {shlex.quote(name)}")
