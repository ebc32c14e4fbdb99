import json
from pathlib import Path

import numpy as np
import pytest

from daemon.pipeline.benchmark import Measurement, load_pixels, measure, recommend
from models.engines.base import Logits
from models.engines.scripted import ScriptedEngine
from models.errors import FoodsortError
from models.images.decode import Fit, Pixels
from tests.daemon.conftest import Foodsort, Photo

FIT = Fit(side=8, mode="stretch", draft=2)


class Small(ScriptedEngine):
    """Two streams, batches of up to 4 in one go."""

    largest, streams = 4, 2

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def logits(self, pixels: Pixels) -> Logits:
        self.seen.add(len(pixels))
        return super().logits(pixels)


def test_the_smallest_nearly_fastest_size_is_recommended() -> None:
    sizes = [Measurement(1, 60, 16), Measurement(2, 94, 21), Measurement(4, 96, 41), Measurement(8, 100, 80)]
    assert recommend(sizes) == 4
    assert recommend(sizes[:1]) == 1


@pytest.mark.parametrize(("most", "sizes"), [(64, [1, 2, 4]), (3, [1, 2, 3]), (1, [1])])
def test_each_size_is_measured_up_to_the_limit_of_caller_and_engine(most: int, sizes: list[int]) -> None:
    engine = Small()
    measurements = measure(engine, None, np.zeros((3, 8, 8, 3), np.uint8), most)
    assert [measurement.batch for measurement in measurements] == sizes
    assert engine.seen == set(sizes)
    assert all(measurement.photos_s > 0 < measurement.batch_ms for measurement in measurements)


def test_photos_are_decoded_and_other_files_are_skipped(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    (tmp_path / "b.txt").write_text("no photo")
    (tmp_path / "c.jpg").mkdir()
    pixels = load_pixels(tmp_path, FIT)
    assert pixels.shape == (1, 8, 8, 3)
    assert pixels[0, 0, 0, 0] > 150


def test_a_folder_without_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FoodsortError, match="holds no photos that can be decoded; name a folder that does"):
        load_pixels(tmp_path, FIT)
    with pytest.raises(FoodsortError, match="is no folder"):
        load_pixels(tmp_path / "none", FIT)


def test_the_command_recommends_a_size(foodsort: Foodsort) -> None:
    code, out, _ = foodsort("bench", "--engine", "scripted", "--max-size", "2", "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert [size["batch"] for size in document["sizes"]] == [1, 2]
    assert document["recommended_max_size"] in {1, 2}
    code, out, _ = foodsort("bench", "--engine", "scripted", "--max-size", "2")
    assert code == 0
    assert "recommended: batch.max_size = " in out
