"""Pictures for the review page, of real photos sorted by the real pipeline."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from daemon.database import addresses, connections
from daemon.settings import load
from daemon.web.thumbnails import LARGE_PX, THUMBNAIL_PX, ImageUnavailable, ThumbnailCache
from models.bundle import Bundle
from tests.daemon.cli.test_run import rows
from tests.daemon.conftest import Foodsort, Photo


@contextmanager
def opened(root: Path) -> Iterator[ThumbnailCache]:
    settings = load(root)
    engine = connections.connect_to_read(addresses.database_url(root, settings.database.url))
    pictures = ThumbnailCache(root, settings, engine)
    yield pictures
    pictures.close()
    engine.dispose()


def ids(root: Path) -> dict[str, int]:
    return {row["name"]: row["id"] for row in rows(root)}


def shape(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        assert not image.getexif()
        assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)
        return image.size


@pytest.fixture
def wide(root: Path, foodsort: Foodsort) -> Path:
    """A root with one photo, 2000 × 1000, whose camera wrote that it lies on its side, and where it was taken."""
    tags = Image.Exif()
    tags[0x0112] = 6
    tags.get_ifd(0x8825)[1] = "N"
    image = Image.new("RGB", (2000, 1000), (200, 0, 40))
    image.paste((20, 220, 40), (0, 0, 500, 1000))
    image.save(root / "inbox/wide.jpg", exif=tags, comment=b"secret")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


@pytest.mark.usefixtures("each_database")
def test_a_photo_is_shown_upright_and_says_nothing_of_where_it_was_taken(wide: Path) -> None:
    photo_id = ids(wide)["wide.jpg"]
    with opened(wide) as pictures:
        assert shape(pictures.thumbnail(photo_id)) == (THUMBNAIL_PX // 2, THUMBNAIL_PX)
        assert shape(pictures.large(photo_id)) == (LARGE_PX // 2, LARGE_PX)
        seen = np.asarray(Image.open(io.BytesIO(pictures.large(photo_id))))
    assert seen[10, 10, 1] > 200 > 40 > seen[-10, -10, 1]


def test_why_lays_a_map_over_the_photo(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "openvino")
    photo_id = ids(wide)["wide.jpg"]
    with opened(wide) as pictures:
        large, why = (
            np.asarray(Image.open(io.BytesIO(data))) for data in (pictures.large(photo_id), pictures.why(photo_id))
        )
        assert why.shape == large.shape
        assert np.abs(why.astype(int) - large).mean() > 20
        again = pictures.why(photo_id)
        assert pictures.why(photo_id) is again


def test_the_network_is_loaded_for_the_first_why_alone(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shade in range(2):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "openvino")
    network = Mock(wraps=Bundle.load().load_network)
    monkeypatch.setattr(Bundle, "network", network)
    found = ids(root)
    with opened(root) as pictures:
        assert pictures.why(found["0.jpg"]) != pictures.why(found["1.jpg"])
    network.assert_called_once()


def test_an_engine_without_a_map_says_so(wide: Path) -> None:
    with opened(wide) as pictures, pytest.raises(ImageUnavailable, match="scripted engine has no feature map"):
        pictures.why(ids(wide)["wide.jpg"])


def test_what_is_not_there_any_more_is_told_in_words(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for name in ("gone", "link", "fifo", "other", "touched", "folder"):
        (root / f"inbox/{name}.jpg").write_bytes(photo(shade=len(name)))
    (root / "inbox/none.jpg").write_bytes(b"%PDF")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    (root / "secret.jpg").write_bytes(photo("non_food"))
    for name in ("gone", "link", "fifo", "folder"):
        (root / f"food/{name}.jpg").unlink()
    (root / "food/link.jpg").symlink_to(root / "secret.jpg")
    os.mkfifo(root / "food/fifo.jpg")
    (root / "food/folder.jpg").mkdir()
    (root / "food/other.jpg").write_bytes(photo("non_food", 9))
    os.utime(root / "food/touched.jpg")
    found = ids(root)
    with opened(root) as pictures:
        for name, why in (
            ("gone", "is no longer there"),
            ("link", "cannot be read"),
            ("fifo", "is no longer the photo"),
            ("folder", "is no longer the photo"),
            ("other", "is no longer the photo"),
            ("none", "no picture can be made of it: not a picture"),
        ):
            with pytest.raises(ImageUnavailable, match=why):
                pictures.thumbnail(found[f"{name}.jpg"])
        with pytest.raises(ImageUnavailable, match="no such photo"):
            pictures.thumbnail(12345)
        kept = pictures.thumbnail(found["touched.jpg"])
        assert pictures.thumbnail(found["touched.jpg"]) is kept
        (root / "food/touched.jpg").unlink()
        with pytest.raises(ImageUnavailable, match="no longer there"):
            pictures.thumbnail(found["touched.jpg"])


def test_many_are_made_at_a_time_and_all_are_right(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade in range(30):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade * 6))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    found = ids(root)
    with opened(root) as pictures, ThreadPoolExecutor(12) as threads:
        made = threads.map(pictures.thumbnail, [found[f"{shade}.jpg"] for shade in range(30)] * 2)
        for number, data in enumerate(made):
            green = np.asarray(Image.open(io.BytesIO(data)))[..., 1].mean()
            assert green == pytest.approx(6 * (number % 30), abs=3)


def test_what_is_kept_has_an_end(root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    for shade in range(4):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    found = ids(root)
    with opened(root) as pictures:
        size = len(pictures.thumbnail(found["0.jpg"]))
    monkeypatch.setattr("daemon.web.thumbnails.CACHE_BYTES", 2 * size + 50)
    with opened(root) as pictures:
        first = pictures.thumbnail(found["0.jpg"])
        assert pictures.thumbnail(found["0.jpg"]) is first
        for shade in range(1, 4):
            pictures.thumbnail(found[f"{shade}.jpg"])
        assert pictures.thumbnail(found["0.jpg"]) is not first


def test_nothing_is_left_running(wide: Path) -> None:
    with opened(wide) as pictures:
        pictures.large(ids(wide)["wide.jpg"])
        pids = {pid for pool in pictures._pools.values() for pid in pool.pids}
        assert len(pids) >= 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
