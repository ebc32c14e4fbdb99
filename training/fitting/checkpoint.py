"""The checkpoint of an unfinished training. The same command resumes from it."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import FoodsortError
from training.fitting.disk import DiskFullError, disk_full_errors

IDENTITY_FILE = "training.json"

RESUME = "the results so far are kept, and the same command resumes from them"
"""What to do when the disk was full."""

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
        with disk_full_errors(self.folder, RESUME):
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

        Raises:
            DiskFullError: There is no room for it.
        """
        part = self.folder / f"part-{name}"  # a prefix, because writers choose the format by the suffix
        try:
            with disk_full_errors(self.folder, RESUME):
                make(part)
        except DiskFullError:
            _remove(part)  # it has taken the last room
            raise
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


def _remove(path: Path) -> None:
    """Removes a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
