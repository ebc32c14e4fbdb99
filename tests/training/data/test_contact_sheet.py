from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.contact_sheet import Entry, draw


@pytest.fixture
def red(tmp_path: Path) -> str:
    Image.new("RGB", (40, 30), (250, 0, 0)).save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


def drawn(tmp_path: Path, *entries: Entry) -> Image.Image:
    draw(tmp_path / "sheet.png", list(entries))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def test_photos_lie_in_rows_of_eight_with_words_below(red: str, tmp_path: Path) -> None:
    one = drawn(tmp_path, Entry(red, "food → non_food", "P(food) 0.1", "red.png"))
    ten = drawn(tmp_path, *[Entry(red, "", "", "")] * 10)
    assert ten.width == 8 * (one.width - 8) + 8
    assert ten.height == 2 * (one.height - 8) + 8
    pixels = np.asarray(one)
    assert (pixels[8:200, 8:200] == (250, 0, 0)).all()
    words = pixels[200:, :, 0]
    assert all((words[line * 16 : line * 16 + 16] < 128).any() for line in range(3))


def test_the_words_are_those_given_and_of_a_long_name_the_end_is_seen(red: str, tmp_path: Path) -> None:
    sheets = [
        drawn(tmp_path, Entry(red, *words)).tobytes()
        for words in (
            ("a", "b", "c" * 100 + "1.jpg"),
            ("a", "b", "c" * 100 + "2.jpg"),
            ("a", "b", "d" + "c" * 100 + "1.jpg"),
            ("x", "b", "c" * 100 + "1.jpg"),
            ("a", "x", "c" * 100 + "1.jpg"),
        )
    ]
    assert sheets[0] == sheets[2]
    assert len(set(sheets)) == 4


def test_a_photo_that_cannot_be_read_is_grey(tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_text("no picture")
    for name in ("no.jpg", "gone.jpg"):
        pixels = np.asarray(drawn(tmp_path, Entry(str(tmp_path / name), "", "", "")))
        assert (pixels[8:200, 8:200] == 128).all()


def test_a_sheet_stays_small_enough_to_open(red: str, tmp_path: Path) -> None:
    sizes = {drawn(tmp_path, *[Entry(red, "", "", "")] * count).size for count in (96, 120)}
    assert len(sizes) == 1
