"""The checkpoint of an unfinished training. The same command resumes from it."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import FoodsortError

IDENTITY_FILE = "training.json"

Array = npt.NDArray[Any]


class Checkpoint:
    """A folder beside the bundle, `OUT.unfinished`, that holds the results of a training so far.

    Each file is written under a name that begins with `part-` and then renamed, so a file with its final name is
    complete.

    Attributes:
        folder: Path of the folder.
    """

    def __init__(self, out: Path, identity: Mapping[str, object]) -> None:
        """Opens the checkpoint of a training, or makes a new one.

        Args:
            out: Path of the future bundle.
            identity: Everything that the result depends on; must be serializable as JSON.

        Raises:
            FoodsortError: The folder holds an unfinished training with another identity.
        """
        self.folder = out.with_name(f"{out.name}.unfinished")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / IDENTITY_FILE
        text = json.dumps(identity, indent=2, sort_keys=True)
        if not path.exists():
            self.write(IDENTITY_FILE, lambda part: part.write_text(text))
        elif path.read_text() != text:
            raise FoodsortError(
                f"{self.folder} holds an unfinished training of other photos or with other settings; "
                "resume it with its own settings, delete the folder, or name another one with --out"
            )

    def path(self, name: str) -> Path | None:
        """Returns the path of a complete file, or None."""
        path = self.folder / name
        return path if path.exists() else None

    def write(self, name: str, make: Callable[[Path], Any]) -> Path:
        """Writes a file and replaces an older one when it is complete.

        Args:
            name: Final name of the file.
            make: Writes the file to the path it receives.

        Returns:
            The path of the complete file.
        """
        part = self.folder / f"part-{name}"  # a prefix, because writers choose the format by the suffix
        make(part)
        return part.replace(self.folder / name)

    def load_or_make_array(self, name: str, make: Callable[[Path], None]) -> Array:
        """Returns the array in a file, memory-mapped; makes the file first if it is missing.

        Args:
            name: Name of the `.npy` file.
            make: Writes the array to the path it receives.
        """
        array: Array = np.load(self.path(name) or self.write(name, make), mmap_mode="r")
        return array

    def delete(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.folder)
