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
from training.evaluation.predictions import Predictions


@pytest.fixture
def predictions(tmp_path: Path, jpeg: Jpeg, bundled: Bundled) -> Predictions:
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
    return Predictions(
        bundled(), "scripted", photos, np.array([-2.0, 1.0, -3.0, 0.5, 2.0], np.float32), np.full(len(photos), 64), []
    )


def decode_uri(uri: str) -> Image.Image:
    kind, text = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_most_confident_mistakes_come_first(predictions: Predictions) -> None:
    table = mistakes.find(predictions)
    assert [Path(path).name for path in table["path"]] == ["1_c.jpg", "0_e.jpg", "0_<b>.jpg"]
    assert table["p_food"].to_list() == pytest.approx([0.0474, 0.8808, 0.7311], abs=1e-4)


def test_the_table_names_photos_from_the_data_sets_folder(predictions: Predictions, tmp_path: Path) -> None:
    mistakes.write(tmp_path, mistakes.find(predictions), tmp_path)
    with (tmp_path / "mistakes.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "label", "p_food", "source"],
            ["1_c.jpg", "food", "0.0474", "there"],
            ["0_e.jpg", "non_food", "0.8808", ""],
            ["0_<b>.jpg", "non_food", "0.7311", "here"],
        ]


def test_a_card_shows_the_photo_as_the_network_sees_it(predictions: Predictions, tmp_path: Path) -> None:
    gallery = mistakes.build_gallery(mistakes.find(predictions), predictions, tmp_path, None)
    first = gallery.cards[0]
    assert (first.name, first.label, first.source, first.heat) == ("1_c.jpg", "food", "there", "")
    assert first.p_food == pytest.approx(0.0474, abs=1e-4)
    assert decode_uri(first.photo).size == (64, 64)
    red, _, blue = np.asarray(decode_uri(first.photo)).mean(axis=(0, 1))
    assert red > blue + 60
    assert gallery.heat_scale is None


def test_activation_maps_share_one_scale(
    predictions: Predictions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine()

    def maps(bundle: Bundle, used_engine: Engine, pixels: Pixels) -> Maps:
        assert bundle is predictions.bundle
        assert used_engine is engine
        return np.stack([np.full((2, 2), value, np.float32) for value in (4.0, -4.0, 0.0)[: len(pixels)]])

    monkeypatch.setattr("models.explain.class_activation_maps", maps)
    gallery = mistakes.build_gallery(mistakes.find(predictions), predictions, tmp_path, engine)
    assert gallery.heat_scale == 4.0
    for card, warmth in zip(gallery.cards, (100, -100, 0), strict=True):
        red, _, blue = np.asarray(decode_uri(card.heat)).mean(axis=(0, 1))
        assert red - blue == pytest.approx(warmth, abs=1) if not warmth else (red - blue) / warmth > 1


def test_a_gallery_has_a_largest_size(
    predictions: Predictions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mistakes, "MAX_CARDS", 2)
    gallery = mistakes.build_gallery(mistakes.find(predictions), predictions, tmp_path, None)
    assert [card.name for card in gallery.cards] == ["1_c.jpg", "0_e.jpg"]


def test_large_photos_are_scaled_down(predictions: Predictions) -> None:
    assert decode_uri(mistakes.jpeg_data_uri(np.zeros((448, 448, 3), np.uint8))).size == (240, 240)


def test_without_a_mistake_there_is_no_card(predictions: Predictions, tmp_path: Path) -> None:
    no_mistakes = mistakes.find(predictions).head(0)
    assert mistakes.build_gallery(no_mistakes, predictions, tmp_path, ScriptedEngine()) == ([], None)
