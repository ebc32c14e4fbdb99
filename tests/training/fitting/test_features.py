import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from models.errors import FoodsortError
from models.images.decode import Fit, Pixels
from training.fitting.features import UnreadablePhoto, decode_photos, extract
from training.fitting.recipe import Recipe

PHOTOS = 45  # more than are decoded ahead
SMALL = Recipe(fit=Fit(8), batch=4)

Photos = Callable[[int], list[str]]


def means(pixels: Pixels) -> npt.NDArray[np.float32]:
    """A network whose output is the mean of the left half of a photo, (n, 1)."""
    return np.asarray(pixels[:, :, : pixels.shape[2] // 2].mean(axis=(1, 2, 3))[:, None], np.float32)


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """Paths of grey PNGs; the level of each is its number."""

    def make(count: int) -> list[str]:
        paths = [str(tmp_path / f"{number}.png") for number in range(count)]
        for number, path in enumerate(paths):
            Image.new("L", (9, 7), number).save(path)
        return paths

    return make


def framed(paths: list[str], labels: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"path": paths, "label": labels, "split": "training"})


def test_photos_come_in_the_order_of_their_paths(photos: Photos) -> None:
    decoded = [pixels for pixels in decode_photos(photos(PHOTOS), Fit(8)) if not isinstance(pixels, UnreadablePhoto)]
    assert [int(pixels.mean()) for pixels in decoded] == list(range(PHOTOS))
    assert {pixels.shape for pixels in decoded} == {(8, 8, 3)}


def test_an_unreadable_photo_is_an_error_in_its_place(photos: Photos) -> None:
    paths = photos(PHOTOS)
    Path(paths[3]).write_bytes(Path(paths[3]).read_bytes()[:50])
    Path(paths[20]).unlink()
    Path(paths[44]).write_text("no picture")
    results = list(decode_photos(paths, Fit(8)))
    assert len(results) == PHOTOS
    errors = {index: result for index, result in enumerate(results) if isinstance(result, UnreadablePhoto)}
    assert list(errors) == [3, 20, 44]
    assert [(error.path, error.kind) for error in errors.values()] == [
        (paths[3], "truncated"),
        (paths[20], "unreadable"),
        (paths[44], "not_an_image"),
    ]
    assert errors[20].message == "No such file or directory"


def test_outputs_keep_the_order_and_the_labels_of_their_photos(photos: Photos) -> None:
    paths = photos(10)
    Path(paths[5]).unlink()
    labels = [0, 0, 0, 1, 1, 1, 0, 1, 1, 0]
    batches: list[int] = []

    def run(pixels: Pixels) -> npt.NDArray[np.float32]:
        batches.append(len(pixels))
        return means(pixels)

    with Progress(disable=True) as progress:
        outputs = extract(run, framed(paths, labels), SMALL, progress)
        assert progress.finished
    assert outputs.values[:, 0].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert outputs.values.dtype == np.float32
    assert outputs.labels.tolist() == [0, 0, 0, 1, 1, 0, 1, 1, 0]
    assert [photo.path for photo in outputs.unreadable] == [paths[5]]
    assert batches == [4, 4, 1]


def test_the_progress_bar_is_full_when_the_last_photo_cannot_be_read(photos: Photos) -> None:
    paths = photos(5)
    Path(paths[4]).unlink()
    with Progress(console=Console(file=io.StringIO())) as progress:
        extract(means, framed(paths, [0, 1, 0, 1, 0]), SMALL, progress)
        (task,) = progress.tasks
        assert (task.completed, task.total) == (5, 5)
        assert task.description.startswith("training")


def test_a_split_without_a_readable_photo_is_an_error_with_the_reason(tmp_path: Path) -> None:
    paths = [str(tmp_path / "0_a.jpg"), str(tmp_path / "1_b.jpg")]
    with Progress(disable=True) as progress, pytest.raises(FoodsortError, match=r"no training photo .* No such file"):
        extract(means, framed(paths, [0, 1]), SMALL, progress)
