"""Two real Syncthings keep a phone's folder and the inbox in step, while a real daemon sorts."""

import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, until
from tests.daemon.rows import rows
from tests.programs.syncthing import pair

pytestmark = pytest.mark.system

PHOTOS = 5


@pytest.mark.parametrize("take", ["move", "copy"])
def test_photos_that_are_sorted_stay_on_the_phone_only_if_they_are_copied(
    root: Path, tmp_path: Path, photo: Photo, foodsort: Foodsort, take: str
) -> None:
    if shutil.which("syncthing") is None:
        pytest.skip("needs the package syncthing")
    phone, inbox = tmp_path / "phone", root / "inbox"
    with pair(tmp_path / "devices", phone, inbox) as devices:
        if take == "copy":
            until((inbox / ".stfolder").exists)
            assert foodsort("init", "--from-sync", root)[0] == 0
        for number in range(PHOTOS):
            (phone / f"{number}.jpg").write_bytes(photo("food", number))
        devices[0].scan()
        with running(root) as daemon:
            until(lambda: len(list((root / "food").glob("*.jpg"))) == PHOTOS, daemon)
            devices[1].scan()
            if take == "move":
                until(lambda: not list(phone.glob("*.jpg")), daemon)
                return
            (phone / "new.jpg").write_bytes(photo("food", PHOTOS))
            (phone / "0.jpg").rename(phone / "renamed.jpg")
            devices[0].scan()
            until((root / "food/new.jpg").exists, daemon)
            until((inbox / "renamed.jpg").exists, daemon)
            devices[1].scan()
        assert len(list(phone.glob("*.jpg"))) == PHOTOS + 1
        assert not (phone / ".foodsort").exists()
        assert foodsort("run", "--root", root, "--once")[0] == 0
    assert len(rows(root)) == PHOTOS + 1
