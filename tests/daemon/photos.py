"""Photos in the inbox of a root, and their sorting."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.daemon.conftest import Foodsort, tree, until


def drop(root: Path, name: str, data: bytes) -> None:
    """Writes a file with a fixed modification time into the inbox."""
    path = root / "inbox" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18 + 1007))


def run_once(root: Path, foodsort: Foodsort) -> str:
    """Sorts the inbox; returns the last line of the output."""
    code, out, err = foodsort("run", "--root", root, "--once")
    assert code == 0, err
    return out.splitlines()[-1]


def photos(root: Path) -> dict[str, bytes]:
    """Path and bytes of each JPEG of a root."""
    return {name: data for name, data in tree(root).items() if name.endswith(".jpg")}


def sort_photo(root: Path, photo: bytes, path: str, daemon: "subprocess.Popen[str]") -> None:
    """Writes a photo of food into the inbox and waits until the daemon has moved it."""
    (root / "inbox" / path).write_bytes(photo)
    until((root / "food" / path).exists, daemon)


def edit_in_place(path: Path, comment: bytes) -> bytes:
    """Writes a comment into a JPEG, as programs write a rating or keywords."""
    data = path.read_bytes()
    edited = data[:2] + b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment + data[2:]
    path.write_bytes(edited)
    return edited


def edit_in_new_file(path: Path, comment: bytes) -> bytes:
    """The same in a new file, which replaces the old one."""
    new = path.with_name("new")
    shutil.copy(path, new)
    edited = edit_in_place(new, comment)
    new.replace(path)
    return edited
