"""What is sorted: photos as the web has them, as phones take them, and both."""

from pathlib import Path
from typing import NamedTuple


class Workload(NamedTuple):
    """How many photos are sorted, in a full and in a quick run, and from which folders they come, in turn."""

    photos: int
    quick: int
    folders: tuple[str, ...]


WORKLOADS = {
    "web": Workload(1000, 200, ("web",)),
    "phone": Workload(100, 40, ("phone",)),
    "mixed": Workload(300, 100, ("phone", *["web"] * 9)),
}


def lay(workload: Workload, number: int, photos: Path, into: Path) -> list[Path]:
    """Writes `number` photos of the folders below `photos`, again and again but distinct by some bytes at their ends.

    Raises FileNotFoundError that names a folder without photos.
    """
    sources = {name: sorted((photos / name).glob("*.*")) for name in workload.folders}
    for name, found in sources.items():
        if not found:
            raise FileNotFoundError(f"{photos / name} holds no photos; name the folder above it with --photos")
    into.mkdir()
    taken = dict.fromkeys(sources, 0)
    laid = []
    for one in range(number):
        name = workload.folders[one % len(workload.folders)]
        source = sources[name][taken[name] % len(sources[name])]
        taken[name] += 1
        path = into / f"{one:04}{source.suffix}"
        path.write_bytes(source.read_bytes() + b"%08d" % one)
        laid.append(path)
    return laid
