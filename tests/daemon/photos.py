"""Photos in the inbox of a root, and how they are sorted."""

import os
import subprocess
from pathlib import Path

from tests.daemon.conftest import Foodsort, tree, until


def drop(root: Path, name: str, data: bytes) -> None:
    path = root / "inbox" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18 + 1007))


def run_once(root: Path, foodsort: Foodsort) -> str:
    code, out, err = foodsort("run", "--root", root, "--once")
    assert code == 0, err
    return out.splitlines()[-1]


def photos(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(root).items() if name.endswith(".jpg")}


def sort_photo(root: Path, photo: bytes, path: str, daemon: "subprocess.Popen[str]") -> None:
    (root / "inbox" / path).write_bytes(photo)
    until((root / "food" / path).exists, daemon)
