import hashlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from rich.console import Console
from rich.progress import Progress

from tests.training.conftest import Jpeg
from training.data.duplicates import NEAR_BITS
from training.data.image_facts import ImageFacts, gather, read_facts, sharpness


def bits_apart(one: ImageFacts, other: ImageFacts) -> int:
    return (one.p_hash ^ other.p_hash).bit_count() + (one.d_hash ^ other.d_hash).bit_count()


@pytest.fixture
def photo(tmp_path: Path, jpeg: Jpeg) -> Path:
    (tmp_path / "one.jpg").write_bytes(jpeg(1, 5))
    return tmp_path / "one.jpg"


def test_facts_match_the_file(photo: Path) -> None:
    facts = read_facts(str(photo))
    assert facts.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert (facts.width, facts.height, facts.format) == (160, 120, "JPEG")
    assert facts.bytes == photo.stat().st_size
    means = np.asarray(Image.open(photo)).mean(axis=(0, 1))
    assert [facts.red, facts.green, facts.blue] == pytest.approx(means, abs=2)
    assert (facts.kind, facts.message) == ("", "")


@pytest.mark.parametrize("change", ["smaller", "blurred", "grey", "brighter", "coarse"])
def test_a_changed_copy_has_nearly_the_same_hashes(photo: Path, tmp_path: Path, change: str) -> None:
    image = Image.open(photo)
    changed = {
        "smaller": image.resize((80, 60)),
        "blurred": image.filter(ImageFilter.GaussianBlur(1)),
        "grey": image.convert("L"),
        "brighter": ImageEnhance.Brightness(image).enhance(1.1),
        "coarse": image,
    }[change]
    changed.save(tmp_path / "copy.jpg", quality=30 if change == "coarse" else 85)
    assert bits_apart(read_facts(str(photo)), read_facts(str(tmp_path / "copy.jpg"))) <= NEAR_BITS


def test_other_photos_have_other_hashes(tmp_path: Path, jpeg: Jpeg) -> None:
    all_facts = []
    for number in range(8):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(1, number))
        all_facts.append(read_facts(str(tmp_path / f"{number}.jpg")))
    assert min(bits_apart(one, other) for one in all_facts for other in all_facts if one is not other) > NEAR_BITS


def test_a_uniform_picture_is_not_sharp_and_an_edge_is() -> None:
    plain = np.full((5, 5), 200, np.uint8)
    assert sharpness(plain) == 0
    plain[2, 2] = 0  # the middle of the 3 × 3 inner pixels: 4 × 200 there, 200 at each of its four neighbours
    assert sharpness(plain) == pytest.approx((800 + 4 * 200) / 9)


def test_an_unreadable_file_has_an_error_and_does_not_stop_the_others(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(photo.read_bytes()[:-500])
    frame = pd.DataFrame(
        {
            "path": [str(tmp_path / "cut.jpg"), str(tmp_path / "gone.jpg"), str(photo)],
            "label": [1, 0, 1],
            "split": ["training", "training", "evaluation"],
            "source": ["", "", "web"],
        },
        index=[5, 6, 7],
    )
    with Progress(console=Console(file=io.StringIO())) as progress:
        facts = gather(frame, progress)
        assert [task.completed for task in progress.tasks] == [3]
    assert facts[["path", "label", "split", "source"]].equals(frame)
    assert facts["kind"].tolist() == ["truncated", "unreadable", ""]
    assert facts["message"].iloc[0].startswith("the image ends too early")
    assert facts["message"].iloc[1] == "No such file or directory"
    assert facts["sha256"].map(bool).tolist() == [True, False, True]
    assert facts["p_hash"].dtype == facts["d_hash"].dtype == np.uint64
    assert facts["p_hash"].iloc[2] == read_facts(str(photo)).p_hash
