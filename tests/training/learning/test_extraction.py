import hashlib
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from rich.progress import Progress

from models.bundle import Bundle
from models.feature_store import FeatureStore
from models.features import FeatureExtractor
from models.images.decode import Fit
from tests.training.conftest import QUIET, Jpeg
from training.learning import extraction
from training.learning.extraction import Extracted

pytestmark = pytest.mark.slow

FIT = Fit()


class Counting:
    """An extractor that counts the photos that it gets."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self.digest = extractor.digest
        self.sides = extractor.sides
        self.photos = 0

    def positions(self, pixels: npt.NDArray[np.uint8]) -> dict[int, npt.NDArray[np.float16]]:
        self.photos += len(pixels)
        return self._extractor.positions(pixels)


@pytest.fixture(scope="module")
def extractor(shipped: Bundle) -> FeatureExtractor:
    return FeatureExtractor(shipped)


@pytest.fixture
def counting(extractor: FeatureExtractor) -> Counting:
    return Counting(extractor)


@pytest.fixture
def paths(tmp_path: Path, jpeg: Jpeg) -> list[str]:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number % 2, number))
    return [str(tmp_path / f"{number}.jpg") for number in range(5)]


def extract(counting: Counting, paths: list[str], store: FeatureStore | None = None) -> Extracted:
    with Progress(console=QUIET) as progress:
        return extraction.extract(counting, FIT, paths, store, progress)  # type: ignore[arg-type]


def test_photos_go_through_the_network_once(counting: Counting, paths: list[str], tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features")
    first = extract(counting, paths[:3], store)
    assert counting.photos == 3
    assert first.rows == [0, 1, 2]
    assert first.sha256s == [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths[:3]]
    assert {side: at.shape for side, at in first.positions.items()} == {224: (3, 385), 128: (3, 385)}
    again = extract(counting, paths, FeatureStore(tmp_path / "features"))
    assert counting.photos == 5
    for side in (224, 128):
        np.testing.assert_array_equal(again.positions[side][:3], first.positions[side])
        assert len({at.tobytes() for at in again.positions[side]}) == 5


def test_what_an_interrupted_run_has_computed_is_kept(
    counting: Counting, paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "_BATCH", 2)
    real = counting.positions

    def interrupt(pixels: npt.NDArray[np.uint8]) -> dict[int, npt.NDArray[np.float16]]:
        if counting.photos == 4:
            raise KeyboardInterrupt
        return real(pixels)

    monkeypatch.setattr(counting, "positions", interrupt)
    store = FeatureStore(tmp_path / "features")
    with pytest.raises(KeyboardInterrupt):
        extract(counting, paths, store)
    monkeypatch.setattr(counting, "positions", real)
    extract(counting, paths, store)
    assert counting.photos == 5


def test_files_that_are_no_photos_are_named_and_left_out(counting: Counting, paths: list[str], tmp_path: Path) -> None:
    Path(paths[1]).write_bytes(Path(paths[1]).read_bytes()[:-500])
    os.mkfifo(tmp_path / "fifo")
    listed = [paths[0], paths[1], str(tmp_path / "fifo"), str(tmp_path / "gone"), paths[4]]
    found = extract(counting, listed)
    assert found.rows == [0, 4]
    assert {at.shape[0] for at in found.positions.values()} == {2}
    assert {(Path(one.path).name, one.kind) for one in found.unreadable} == {
        ("1.jpg", "truncated"),
        ("fifo", "unreadable"),
        ("gone", "unreadable"),
    }


def test_no_readable_photo_gives_empty_positions(counting: Counting, tmp_path: Path) -> None:
    found = extract(counting, [str(tmp_path / "gone")])
    assert found.rows == []
    assert counting.photos == 0


def test_a_file_that_is_replaced_meanwhile_is_known_by_the_bytes_that_were_decoded(
    counting: Counting, paths: list[str], jpeg: Jpeg, tmp_path: Path
) -> None:
    other = jpeg(1, 77)

    class Replacing(FeatureStore):
        def load(self, digest: str, sha256s: object) -> dict[str, dict[int, npt.NDArray[np.float16]]]:
            Path(paths[0]).write_bytes(other)  # after it was hashed, before it is decoded
            return {}

    found = extract(counting, paths[:1], Replacing(tmp_path / "features"))
    assert found.sha256s == [hashlib.sha256(other).hexdigest()]
    stored = FeatureStore(tmp_path / "features").load(counting.digest, found.sha256s)
    np.testing.assert_array_equal(stored[found.sha256s[0]][224], found.positions[224][0].astype(np.float16))
