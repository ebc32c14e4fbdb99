"""Photos that are classified outside the daemon's pipeline."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from daemon.decoders.pool import DecoderPool
from daemon.photo import Failure
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.predictor import Predictor
from models.bundle import Bundle
from models.engines.base import Logits
from models.engines.scripted import ScriptedEngine
from models.images.decode import Picture, Pixels
from tests.daemon.conftest import Photo

T = TypeVar("T")


class TwoStreams(ScriptedEngine):
    """Runs two batches at a time: the first two wait for each other."""

    streams = 2
    largest = 4

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._both = threading.Barrier(2)

    def logits(self, pixels: Pixels) -> Logits:
        self.sizes.append(len(pixels))
        if len(self.sizes) <= 2:
            self._both.wait(20)
        return super().logits(pixels)


class Broken(ScriptedEngine):
    """Has lost its device."""

    def logits(self, pixels: Pixels) -> Logits:
        raise RuntimeError("no device")


def noted(photos: Sequence[T], taken: list[T]) -> Iterator[T]:
    """Photos that are noted when they are taken."""
    for photo in photos:
        taken.append(photo)
        yield photo


@pytest.fixture
def pictures(photo: Photo, tmp_path: Path) -> dict[str, Picture]:
    found = {}
    with DecoderPool(Bundle.load().card.fit, 10**6, 60, 1) as decoders:
        for label in ("food", "non_food"):
            (tmp_path / label).write_bytes(photo(label))
            with (tmp_path / label).open("rb") as file:
                found[label] = decoders.decode(file.fileno())
    return found


def test_batches_run_at_a_time_and_results_come_in_order(pictures: dict[str, Picture]) -> None:
    engine = TwoStreams()
    names = [("food", "non_food", "broken")[number % 3] for number in range(23)]
    taken: list[str] = []

    def read(name: str) -> Picture | Failure:
        return pictures.get(name) or Failure("corrupt", "broken")

    with Predictor(LoadedModel(Bundle.load().without_cascade(), engine), read, 3) as predictor:
        outcomes = list(predictor.stream(noted(names, taken), 32))
    assert [name for name, _ in outcomes] == names == taken
    assert [outcome.kind if isinstance(outcome, Failure) else outcome[1].label for _, outcome in outcomes] == [
        name.replace("broken", "corrupt") for name in names
    ]
    assert max(engine.sizes) <= 4


def test_photos_are_taken_only_as_they_are_needed(pictures: dict[str, Picture]) -> None:
    taken: list[str] = []
    with Predictor(LoadedModel(Bundle.load(), ScriptedEngine()), pictures.__getitem__, 2) as predictor:
        stream = predictor.stream(noted(["food"] * 1000, taken), 8)
        assert next(stream)[0] == "food"
        assert len(taken) == 24  # for the stream a batch that runs and one that is decoded, and one more


def test_an_error_of_the_engine_ends_the_stream(pictures: dict[str, Picture]) -> None:
    with Predictor(LoadedModel(Bundle.load(), Broken()), pictures.__getitem__, 2) as predictor:
        with pytest.raises(RuntimeError, match="no device"):
            list(predictor.stream(["food"] * 100, 8))
        with pytest.raises(RuntimeError, match="no device"):
            predictor.predict(["food"])
