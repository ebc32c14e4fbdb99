import json
from pathlib import Path

import numpy as np
import pytest

from daemon.pipeline.benchmark import Size, measure, pictures, recommended
from models.engines import Logits
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


def test_the_smallest_size_that_is_nearly_the_fastest_is_recommended() -> None:
    sizes = [Size(1, 60, 16), Size(2, 94, 21), Size(4, 96, 41), Size(8, 100, 80)]
    assert recommended(sizes) == 4
    assert recommended(sizes[:1]) == 1


@pytest.mark.parametrize(("most", "sizes"), [(64, [1, 2, 4]), (3, [1, 2, 3]), (1, [1])])
def test_each_size_is_measured_up_to_the_most_that_is_asked_for_and_runs_in_one_go(most: int, sizes: list[int]) -> None:
    engine = Small()
    found = measure(engine, np.zeros((3, 8, 8, 3), np.uint8), most)
    assert [size.batch for size in found] == sizes
    assert engine.seen == set(sizes)
    assert all(size.photos_s > 0 < size.batch_ms for size in found)


def test_photos_are_decoded_and_what_is_none_is_passed_over(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    (tmp_path / "b.txt").write_text("no photo")
    (tmp_path / "c.jpg").mkdir()
    found = pictures(tmp_path, FIT)
    assert found.shape == (1, 8, 8, 3)
    assert found[0, 0, 0, 0] > 150


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    with pytest.raises(FoodsortError, match="holds no photos that can be decoded; name a folder that does"):
        pictures(tmp_path, FIT)
    with pytest.raises(FoodsortError, match="is no folder"):
        pictures(tmp_path / "none", FIT)


def test_the_command_says_what_to_set(foodsort: Foodsort) -> None:
    code, out, _ = foodsort("bench", "--engine", "scripted", "--max-size", "2", "--format", "json")
    said = json.loads(out)
    assert code == 0
    assert [size["batch"] for size in said["sizes"]] == [1, 2]
    assert said["recommended_max_size"] in {1, 2}
    code, out, _ = foodsort("bench", "--engine", "scripted", "--max-size", "2")
    assert code == 0
    assert "recommended: batch.max_size = " in out
