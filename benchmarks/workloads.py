"""The workloads: photos as on the web, photos from phones, and a mixture."""

from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[1]
DEFAULT_PHOTOS = PROJECT.parent / "shared/data/bench"
"""Folder with the photos in web/ and phone/."""


class Workload(NamedTuple):
    """A set of photos to sort.

    Attributes:
        photos: Number of photos in a full run.
        quick: Number of photos in a quick run.
        folders: Folders that the photos come from, in turn.
    """

    photos: int
    quick: int
    folders: tuple[str, ...]


WORKLOADS = {
    "web": Workload(1000, 200, ("web",)),
    "phone": Workload(100, 40, ("phone",)),
    "mixed": Workload(300, 100, ("phone", *["web"] * 9)),
}


def write_photos(workload: Workload, number: int, source: Path, target: Path) -> list[Path]:
    """Writes the photos of a workload, repeatedly if needed; some bytes at the end make each one distinct.

    Args:
        workload: The workload.
        number: Number of photos to write.
        source: Parent of the workload's folders.
        target: New folder for the photos.

    Raises:
        FileNotFoundError: A folder has no photos.
    """
    sources = {name: sorted((source / name).glob("*.*")) for name in workload.folders}
    for name, paths in sources.items():
        if not paths:
            raise FileNotFoundError(f"{source / name} holds no photos; name the folder above it with --photos")
    target.mkdir()
    used = dict.fromkeys(sources, 0)
    written = []
    for index in range(number):
        name = workload.folders[index % len(workload.folders)]
        original = sources[name][used[name] % len(sources[name])]
        used[name] += 1
        path = target / f"{index:04}{original.suffix}"
        path.write_bytes(original.read_bytes() + b"%08d" % index)
        written.append(path)
    return written
