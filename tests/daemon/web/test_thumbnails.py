"""JPEGs for the review page, of real photos sorted by the real pipeline."""

import io
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from daemon.database import addresses, connections
from daemon.settings import load
from daemon.web.thumbnails import LARGE_PX, THUMBNAIL_PX, ImageUnavailable, ThumbnailCache
from models.bundle import Bundle
from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.learned_models import add_model
from tests.daemon.rows import rows
from tests.models.images import raw_files

pytestmark = pytest.mark.slow


@contextmanager
def opened(root: Path) -> Iterator[ThumbnailCache]:
    settings = load(root)
    engine = connections.connect_to_read(addresses.database_url(root, settings.database.url))
    thumbnails = ThumbnailCache(root, settings, engine)
    yield thumbnails
    thumbnails.close()
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
    """A root with one photo, 2000 × 1000, whose EXIF has an orientation and a position."""
    tags = Image.Exif()
    tags[0x0112] = 6
    tags.get_ifd(0x8825)[1] = "N"
    image = Image.new("RGB", (2000, 1000), (200, 0, 40))
    image.paste((20, 220, 40), (0, 0, 500, 1000))
    image.save(root / "inbox/wide.jpg", exif=tags, comment=b"secret")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


@pytest.mark.usefixtures("each_database")
def test_a_photo_is_upright_and_without_metadata(wide: Path) -> None:
    photo_id = ids(wide)["wide.jpg"]
    with opened(wide) as thumbnails:
        assert shape(thumbnails.thumbnail(photo_id)) == (THUMBNAIL_PX // 2, THUMBNAIL_PX)
        assert shape(thumbnails.large(photo_id)) == (LARGE_PX // 2, LARGE_PX)
        seen = np.asarray(Image.open(io.BytesIO(thumbnails.large(photo_id))))
    assert seen[10, 10, 1] > 200 > 40 > seen[-10, -10, 1]


def test_a_raw_file_has_a_thumbnail(root: Path, foodsort: Foodsort) -> None:
    scene = raw_files.picture(800, 600)
    (root / "inbox/preview.nef").write_bytes(raw_files.dng(scene, previews=(raw_files.jpeg(scene),), orientation=1))
    (root / "inbox/sensor.jpg").write_bytes(raw_files.dng(scene, orientation=6))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert {row["name"]: (row["format"], row["state"]) for row in rows(root)} == dict.fromkeys(
        ("preview.nef", "sensor.jpg"), ("DNG", "filed")
    )
    with opened(root) as thumbnails:
        for photo_id in ids(root).values():
            assert shape(thumbnails.thumbnail(photo_id)) == (THUMBNAIL_PX, THUMBNAIL_PX * 3 // 4)


def test_an_explanation_is_a_map_over_the_photo(wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "openvino")
    photo_id = ids(wide)["wide.jpg"]
    with opened(wide) as thumbnails:
        large, why = (
            np.asarray(Image.open(io.BytesIO(data)))
            for data in (thumbnails.large(photo_id), thumbnails.explanation(photo_id))
        )
        assert why.shape == large.shape
        assert np.abs(why.astype(int) - large).mean() > 20
        again = thumbnails.explanation(photo_id)
        assert thumbnails.explanation(photo_id) is again
        with closing(sqlite3.connect(wide / "foodsort.db")) as database, database:
            database.execute("UPDATE photos SET look = CASE look WHEN 128 THEN 224 ELSE 128 END")
        assert thumbnails.explanation(photo_id) != again


def test_the_network_is_loaded_only_for_the_first_explanation(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shade in range(2):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "openvino")
    network = Mock(wraps=Bundle.load().load_network)
    monkeypatch.setattr(Bundle, "load_network", network)
    photo_ids = ids(root)
    with opened(root) as thumbnails:
        assert thumbnails.explanation(photo_ids["0.jpg"]) != thumbnails.explanation(photo_ids["1.jpg"])
    network.assert_called_once()


def test_an_engine_without_a_map_has_no_explanation(wide: Path) -> None:
    with opened(wide) as thumbnails, pytest.raises(ImageUnavailable, match="scripted engine has no feature map"):
        thumbnails.explanation(ids(wide)["wide.jpg"])


def test_missing_and_replaced_photos_have_a_reason(root: Path, photo: Photo, foodsort: Foodsort) -> None:
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
    photo_ids = ids(root)
    with opened(root) as thumbnails:
        for name, why in (
            ("gone", "is no longer there"),
            ("link", "cannot be read"),
            ("fifo", "is no longer the photo"),
            ("folder", "is no longer the photo"),
            ("other", "is no longer the photo"),
            ("none", "no image can be made of it: not an image"),
        ):
            with pytest.raises(ImageUnavailable, match=why):
                thumbnails.thumbnail(photo_ids[f"{name}.jpg"])
        with pytest.raises(ImageUnavailable, match="no such photo"):
            thumbnails.thumbnail(12345)
        cached = thumbnails.thumbnail(photo_ids["touched.jpg"])
        assert thumbnails.thumbnail(photo_ids["touched.jpg"]) is cached
        (root / "food/touched.jpg").unlink()
        with pytest.raises(ImageUnavailable, match="no longer there"):
            thumbnails.thumbnail(photo_ids["touched.jpg"])


def test_many_threads_get_the_right_thumbnails(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for shade in range(30):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade * 6))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    photo_ids = ids(root)
    with opened(root) as thumbnails, ThreadPoolExecutor(12) as threads:
        made = threads.map(thumbnails.thumbnail, [photo_ids[f"{shade}.jpg"] for shade in range(30)] * 2)
        for number, data in enumerate(made):
            green = np.asarray(Image.open(io.BytesIO(data)))[..., 1].mean()
            assert green == pytest.approx(6 * (number % 30), abs=3)


def test_the_cache_has_a_limit(root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    for shade in range(4):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    photo_ids = ids(root)
    with opened(root) as thumbnails:
        size = len(thumbnails.thumbnail(photo_ids["0.jpg"]))
    monkeypatch.setattr("daemon.web.thumbnails.CACHE_BYTES", 2 * size + 50)
    with opened(root) as thumbnails:
        first = thumbnails.thumbnail(photo_ids["0.jpg"])
        assert thumbnails.thumbnail(photo_ids["0.jpg"]) is first
        for shade in range(1, 4):
            thumbnails.thumbnail(photo_ids[f"{shade}.jpg"])
        assert thumbnails.thumbnail(photo_ids["0.jpg"]) is not first


def test_close_ends_all_workers(wide: Path) -> None:
    with opened(wide) as thumbnails:
        thumbnails.large(ids(wide)["wide.jpg"])
        pids = {pid for pool in thumbnails._pools.values() for pid in pool.pids}
        assert len(pids) >= 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_model_that_is_put_live_is_explained_from_then_on(wide: Path, foodsort: Foodsort) -> None:
    learned = add_model(wide, 0.5)
    with opened(wide) as thumbnails:
        assert thumbnails.bundle.sha256 == Bundle.load().sha256
        assert foodsort("models", "promote", learned.model_name, "--root", wide)[0] == 0
        assert thumbnails.bundle.sha256 == learned.sha256
        (wide / "models/promotions.json").write_bytes(b"{")
        assert thumbnails.bundle.sha256 == learned.sha256
