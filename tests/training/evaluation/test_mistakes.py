import base64
import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models.bundle import Bundle
from models.engines.base import Engine, Maps
from models.engines.scripted import ScriptedEngine
from models.images.decode import Pixels
from tests.training.conftest import Bundled, Jpeg
from training.evaluation import mistakes
from training.evaluation.predictions import Judged


@pytest.fixture
def judged(tmp_path: Path, jpeg: Jpeg, bundled: Bundled) -> Judged:
    """Five photos, of which the second, third and last get the wrong label."""
    names, labels = ["0_a.jpg", "0_<b>.jpg", "1_c.jpg", "1_d.jpg", "0_e.jpg"], [0, 0, 1, 1, 0]
    for number, (name, label) in enumerate(zip(names, labels, strict=True)):
        (tmp_path / name).write_bytes(jpeg(label, number))
    photos = pd.DataFrame(
        {
            "path": [str(tmp_path / name) for name in names],
            "label": labels,
            "split": "evaluation",
            "source": ["", "here", "there", "", ""],
        }
    )
    return Judged(bundled(), "scripted", photos, np.array([-2.0, 1.0, -3.0, 0.5, 2.0], np.float32), [])


def picture(uri: str) -> Image.Image:
    kind, text = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_surest_mistakes_come_first(judged: Judged) -> None:
    found = mistakes.find(judged)
    assert [Path(path).name for path in found["path"]] == ["1_c.jpg", "0_e.jpg", "0_<b>.jpg"]
    assert found["p_food"].to_list() == pytest.approx([0.0474, 0.8808, 0.7311], abs=1e-4)


def test_the_table_names_photos_from_the_data_sets_folder(judged: Judged, tmp_path: Path) -> None:
    mistakes.write(tmp_path, mistakes.find(judged), tmp_path)
    with (tmp_path / "mistakes.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "label", "p_food", "source"],
            ["1_c.jpg", "food", "0.0474", "there"],
            ["0_e.jpg", "non_food", "0.8808", ""],
            ["0_<b>.jpg", "non_food", "0.7311", "here"],
        ]


def test_a_card_shows_the_photo_as_the_network_sees_it(judged: Judged, tmp_path: Path) -> None:
    sheet = mistakes.sheet(mistakes.find(judged), judged, tmp_path, None)
    first = sheet.cards[0]
    assert (first.name, first.label, first.source, first.heat) == ("1_c.jpg", "food", "there", "")
    assert first.p_food == pytest.approx(0.0474, abs=1e-4)
    assert picture(first.photo).size == (64, 64)
    red, _, blue = np.asarray(picture(first.photo)).mean(axis=(0, 1))
    assert red > blue + 60
    assert sheet.strongest is None


def test_activation_maps_share_one_scale(judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine()

    def maps(bundle: Bundle, asked: Engine, pixels: Pixels) -> Maps:
        assert bundle is judged.bundle
        assert asked is engine
        return np.stack([np.full((2, 2), value, np.float32) for value in (4.0, -4.0, 0.0)[: len(pixels)]])

    monkeypatch.setattr("models.explain.class_activation_maps", maps)
    sheet = mistakes.sheet(mistakes.find(judged), judged, tmp_path, engine)
    assert sheet.strongest == 4.0
    for card, warmth in zip(sheet.cards, (100, -100, 0), strict=True):
        red, _, blue = np.asarray(picture(card.heat)).mean(axis=(0, 1))
        assert red - blue == pytest.approx(warmth, abs=1) if not warmth else (red - blue) / warmth > 1


def test_a_sheet_ends_before_it_grows_too_large(
    judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mistakes, "MOST", 2)
    sheet = mistakes.sheet(mistakes.find(judged), judged, tmp_path, None)
    assert [card.name for card in sheet.cards] == ["1_c.jpg", "0_e.jpg"]


def test_large_pictures_are_made_small(judged: Judged) -> None:
    assert picture(mistakes._uri(np.zeros((448, 448, 3), np.uint8))).size == (240, 240)


def test_without_a_mistake_there_is_no_card(judged: Judged, tmp_path: Path) -> None:
    none = mistakes.find(judged).head(0)
    assert mistakes.sheet(none, judged, tmp_path, ScriptedEngine()) == ([], None)
