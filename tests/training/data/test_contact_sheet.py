from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import contact_sheet
from training.data.contact_sheet import Entry


@pytest.fixture
def red(tmp_path: Path) -> str:
    Image.new("RGB", (40, 30), (250, 0, 0)).save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


def draw(tmp_path: Path, *entries: Entry) -> Image.Image:
    contact_sheet.draw(tmp_path / "sheet.png", list(entries))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.format == "PNG"
        return image.convert("RGB")


def test_photos_are_in_rows_of_eight_with_captions_below(red: str, tmp_path: Path) -> None:
    one = draw(tmp_path, Entry(red, "food → non_food", "P(food) 0.1", "red.png"))
    ten = draw(tmp_path, *[Entry(red, "", "", "")] * 10)
    assert ten.width == 8 * (one.width - 8) + 8
    assert ten.height == 2 * (one.height - 8) + 8
    pixels = np.asarray(one)
    assert (pixels[8:200, 8:200] == (250, 0, 0)).all()
    captions = pixels[200:, :, 0]
    assert all((captions[line * 16 : line * 16 + 16] < 128).any() for line in range(3))


def test_captions_show_the_entry_and_the_end_of_a_long_name(red: str, tmp_path: Path) -> None:
    sheets = [
        draw(tmp_path, Entry(red, *caption)).tobytes()
        for caption in (
            ("a", "b", "c" * 100 + "1.jpg"),
            ("a", "b", "c" * 100 + "2.jpg"),
            ("a", "b", "d" + "c" * 100 + "1.jpg"),
            ("x", "b", "c" * 100 + "1.jpg"),
            ("a", "x", "c" * 100 + "1.jpg"),
        )
    ]
    assert sheets[0] == sheets[2]
    assert len(set(sheets)) == 4


def test_an_unreadable_photo_is_grey(tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_text("no picture")
    for name in ("no.jpg", "gone.jpg"):
        pixels = np.asarray(draw(tmp_path, Entry(str(tmp_path / name), "", "", "")))
        assert (pixels[8:200, 8:200] == 128).all()


def test_a_sheet_has_a_largest_size(red: str, tmp_path: Path) -> None:
    sizes = {draw(tmp_path, *[Entry(red, "", "", "")] * count).size for count in (96, 120)}
    assert len(sizes) == 1
