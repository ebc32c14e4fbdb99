"""`foodsort init`: creates a root."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import folder
from models.filenames import escape_name

_MOVES = '#take = "move"\n'


def init(
    directory: Annotated[Path, typer.Argument(parser=folder, metavar="DIR", help="Folder to create or complete.")],
    from_sync: Annotated[
        bool, typer.Option("--from-sync", help="A sync tool fills the inbox: sort copies, and leave the photos there.")
    ] = False,
) -> None:
    """Create a root: its folders, and a foodsort.toml that explains every setting.

    Example: foodsort init photos
    """
    from daemon.settings import FILE, FolderSettings, load
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
    if from_sync:
        _take_copies(path)
        _exclude(directory, directory / load(directory).folders.inbox)


def _take_copies(path: Path) -> None:
    """Sets `take = "copy"` in a settings file that leaves it at its default."""
    from daemon.settings import load
    from models.errors import FoodsortError

    if load(path.parent).watch.take == "copy":
        return
    text = path.read_text(encoding="utf-8")
    if text.count(_MOVES) != 1:
        raise FoodsortError(f'{path} has other lines than those of `foodsort init`; set take = "copy" in [watch] there')
    with path.open("r+", encoding="utf-8") as file:  # in place, so that owner and mode stay
        file.write(text.replace(_MOVES, 'take = "copy"\n'))
        file.truncate()
    typer.echo(f'{escape_name(str(path))}: take = "copy", so photos stay in the inbox and their copies are sorted')


def _exclude(root: Path, inbox: Path) -> None:
    """Excludes foodsort's own files from each folder of Syncthing that the inbox is in, or is above."""
    from daemon.inbox import sync_marks
    from daemon.inbox.claims import PRIVATE

    for folder_path in {mark.path.parent for mark in sync_marks.marks(inbox) if mark.tool == "Syncthing"}:
        own = [PRIVATE.decode()]
        if root.absolute().is_relative_to(folder_path):
            own.append("foodsort.*")
        missing = [name for name in own if sync_marks.lacks_ignore(folder_path, name)]
        if missing:
            ignore = folder_path / sync_marks.STIGNORE
            with ignore.open("a+", encoding="utf-8") as file:
                file.seek(0)
                text = file.read()
                file.write(("" if not text or text.endswith("\n") else "\n") + "".join(f"{name}\n" for name in missing))
            typer.echo(f"{escape_name(str(ignore))}: Syncthing does not send {', '.join(missing)} to other devices")
