"""The folder of an unfinished training: what is done is kept there, so that the same command goes on where it was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import FoodsortError

IDENTITY = "training.json"

Array = npt.NDArray[Any]


class Work:
    """A folder beside the bundle that is being made, which `done` removes.

    A file there is whole: each is written under a name that begins with `part-`, and renamed.
    """

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        """identity: everything that the outcome depends on, as JSON can hold it.

        Raises FoodsortError when the folder holds an unfinished training that depends on something else.
        """
        self.folder = out.with_name(f"{out.name}.unfinished")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / IDENTITY
        text = json.dumps(identity, indent=2, sort_keys=True)
        if not path.exists():
            self.write(IDENTITY, lambda part: part.write_text(text))
        elif path.read_text() != text:
            raise FoodsortError(
                f"{self.folder} holds an unfinished training of other photos or with other settings; "
                "go on with those, delete the folder, or name another one with --out"
            )

    def path(self, name: str) -> Path | None:
        """A file that was written whole, or None."""
        path = self.folder / name
        return path if path.exists() else None

    def write(self, name: str, make: Callable[[Path], Any]) -> Path:
        """Has `make` write a file at the path it is given, and puts it in place of an older one when it is whole."""
        part = self.folder / f"part-{name}"  # in front, as writers look at the end
        make(part)
        return part.replace(self.folder / name)

    def array(self, name: str, make: Callable[[Path], None]) -> Array:
        """The array in the file `name`, mapped into memory rather than read; made first where it is missing."""
        array: Array = np.load(self.path(name) or self.write(name, make), mmap_mode="r")
        return array

    def done(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)
