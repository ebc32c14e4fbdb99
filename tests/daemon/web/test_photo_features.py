"""Features of photos behind the review page, by the real network."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from daemon.database import addresses, connections
from daemon.settings import load
from daemon.web.photo_features import FILE, PhotoFeatures
from daemon.web.thumbnails import ThumbnailCache
from tests.daemon.rows import rows
from tests.daemon.web.conftest import sort
from tests.daemon.web.pictures import picture

pytestmark = pytest.mark.slow
PATIENCE_S = 120


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with three photos."""
    root = tmp_path_factory.mktemp("features") / "root"
    return sort(root, {f"{number}.jpg": picture(shade=number) for number in range(3)})


@pytest.fixture
def thumbnails(photos: Path) -> Iterator[ThumbnailCache]:
    settings = load(photos)
    engine = connections.connect_to_read(addresses.database_url(photos, settings.database.url))
    with closing(ThumbnailCache(photos, settings, engine)) as thumbnails:
        yield thumbnails
    engine.dispose()


def known(photos: Path) -> list[tuple[int, str]]:
    return [(row["id"], row["sha256"]) for row in rows(photos)]


def test_features_are_computed_once_and_kept_on_disk(photos: Path, thumbnails: ThumbnailCache) -> None:
    settings, asked = load(photos), known(photos)
    digests = [sha256 for _, sha256 in asked]
    with closing(PhotoFeatures(photos, settings, thumbnails)) as features:
        assert features.read(digests) == {}
        features.prepare([*asked[:2], (999, 64 * "9")])  # the last one has no row
        features.wait(PATIENCE_S)
        first = features.read(digests)
        assert set(first) == set(digests[:2])
        assert {(values.shape, values.dtype) for values in first.values()} == {((385,), np.dtype(np.float16))}
    assert (photos / FILE).exists()
    with closing(PhotoFeatures(photos, settings, thumbnails)) as features:
        features.prepare(asked[:2])
        assert "features" not in {thread.name for thread in threading.enumerate()}  # nothing is missing
        assert np.array_equal(features.read(digests)[digests[0]], first[digests[0]])


def test_the_page_works_without_a_cache_of_features(photos: Path, thumbnails: ThumbnailCache) -> None:
    path = photos / FILE
    path.parent.mkdir(exist_ok=True)
    for file in path.parent.iterdir():
        file.unlink()
    path.mkdir()
    with closing(PhotoFeatures(photos, load(photos), thumbnails)) as features:
        features.prepare(known(photos))
        features.wait(PATIENCE_S)
        assert features.read([sha256 for _, sha256 in known(photos)]) == {}
    path.rmdir()


def test_the_scripted_engine_has_no_features(
    photos: Path, thumbnails: ThumbnailCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "scripted")
    with closing(PhotoFeatures(photos, load(photos), thumbnails)) as features:
        features.prepare(known(photos))
        features.wait(PATIENCE_S)
        assert features.read([sha256 for _, sha256 in known(photos)]) == {}
