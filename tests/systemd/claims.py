"""Photos that are claimed by the service."""

from pathlib import Path

from tests.daemon.conftest import Photo
from tests.systemd.conftest import ROOT, Machine, drop


def claimed(machine: Machine) -> list[Path]:
    return [path for path in machine.path(f"{ROOT}/inbox/.foodsort").rglob("claimed/*/*") if path.is_file()]


def inodes(*folders: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for folder in folders for path in folder.iterdir() if path.is_file()}


def drop_until_claimed(machine: Machine, photo: Photo) -> list[str]:
    """Drops photos until some are claimed and not filed yet, on machines of any speed; returns their names."""
    names: list[str] = []
    while not claimed(machine):
        assert len(names) < 5000, "none was ever claimed"
        for number in range(len(names), len(names) + 25):
            # Each of its own bytes: for a copy the network has nothing to do.
            new = photo(shade=number % 256, size=64 + number // 256)
            drop(machine.path(f"{ROOT}/inbox"), f"{number}.jpg", photo=new)
            names.append(f"{number}.jpg")
    return names
