"""Folders as phones and cameras leave them, dropped in random order while the daemon is killed: families stay whole."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.processes import start_command
from tests.programs.audit import Audit

pytestmark = [pytest.mark.slow, pytest.mark.system]

KILLS = 12
FAMILIES = {
    "iPhone": ("IMG_{0:04}.HEIC", "IMG_{0:04}.MOV", "IMG_{0:04}.AAE", "IMG_O{0:04}.AAE"),
    "Pixel": ("PXL_20260701_18{0:04}123.MP.jpg", "PXL_20260701_18{0:04}123.MP.mp4"),
    "Canon": ("_MG_{0:04}.JPG", "_MG_{0:04}.CR3", "_MG_{0:04}.CR3.xmp", "_MG_{0:04}.WAV"),
    "Takeout": ("IMG{0:04}.jpg", "IMG{0:04}.jpg.supplemental-metadata.json"),
    "Takeout again": ("IMG{0:04}(1).jpg", "IMG{0:04}.jpg.supplemental-metadata(1).json"),
    "Takeout, cut": (
        "Screenshot_20260701-18{0:04}_Maps and more.jpg",
        "Screenshot_20260701-18{0:04}_Maps and more.jpg.s.json",
    ),
    "alone": ("DSC{0:04}.jpg",),
}
"""The name of the photo, then those of its companions."""


def families(photo: Photo, count: int) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Yields a folder and the files of each family; every third photo has a name that another folder has too."""
    for number in range(count):
        for device, (name, *others) in FAMILIES.items():
            folder = f"{device}/{'DCIM' if number % 3 else 'old'}"
            content = photo("food" if number % 2 else "non_food", shade=number % 200) + f"{device} {number}".encode()
            files = [(name.format(number), content)]
            yield folder, files + [(other.format(number), f"{device} {other} {number}".encode()) for other in others]


def test_families_stay_whole_while_the_daemon_is_killed(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    generator = random.Random(22)
    whole = list(families(photo, 12))
    files = [(f"{folder}/{name}", content) for folder, family in whole for name, content in family]
    generator.shuffle(files)
    claimed = 0
    for cycle in range(KILLS):
        with (root / "log").open("ab") as log:
            daemon = start_command("run", "--root", root, output=log)
        for name, content in files[cycle::KILLS]:
            path = root / "inbox" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            time.sleep(0.005)
        time.sleep(0.5 + 2 * generator.random())
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        claimed += any(names for _, _, names in os.walk(root / "inbox/.foodsort/claimed"))
    code, _, errors = foodsort("run", "--root", root, "--once")
    assert code == 0, errors
    audit = Audit(root, tuple(root / name for name in ("food", "non_food", "failed")))
    assert audit.problems(content for _, content in files) == []
    companions = [f"{folder}/{name}" for folder, family in whole for name, _ in family[1:]]
    assert sorted(row.inbox_path for row in audit.companions()) == sorted(companions)
    assert list((root / "failed").rglob("*.*")) == []
    assert claimed  # else it was no test
