"""`foodsort init`: makes a root."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import folder
from models.filenames import escape_name


def init(
    directory: Annotated[Path, typer.Argument(parser=folder, metavar="DIR", help="Folder to make or to complete.")],
) -> None:
    """Make a root: its folders and a foodsort.toml in which every setting is explained.

    Example: foodsort init photos
    """
    from daemon.settings import FILE, Settings, template

    for name in ("inbox", "food", "non_food", "failed"):
        (directory / getattr(Settings.model_fields["folders"].default, name)).mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    if path.exists():
        typer.echo(f"{escape_name(str(path))} is there already and stays as it is")
    else:
        path.write_text(template(), encoding="utf-8")
        name = escape_name(str(directory))
        typer.echo(f"{name} is ready; start with: foodsort run --root {shlex.quote(name)}")
