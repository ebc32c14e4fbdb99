"""Classifies files outside the daemon's pipeline: threads decode, others run the network meanwhile."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

from daemon.decoders.pool import DecoderPool
from daemon.photo import Failure, Prediction
from daemon.pipeline.classify import label_logits, run_network
from daemon.pipeline.loaded_model import LoadedModel
from models.errors import ImageError
from models.images.decode import Picture

Photo = TypeVar("Photo")
Predicted = tuple[Picture, Prediction] | Failure
"""A picture and its prediction, or why there is none."""


class Predictor(Generic[Photo]):
    """Decodes and classifies photos with all cores.

    Close it before the decoders: the kernel kills a decoder when the thread that started it ends.
    """

    def __init__(
        self,
        model: LoadedModel,
        read: Callable[[Photo], Picture | Failure],
        readers: int,
        *,
        unsure: bool = False,
        on_thread: Callable[[], None] = lambda: None,
    ) -> None:
        """Starts no thread yet.

        Args:
            model: The model.
            read: Decodes a photo.
            readers: Number of photos that are decoded at a time.
            unsure: Whether photos between the thresholds get the label `unsure`.
            on_thread: Called at the start of each thread that reads photos.
        """
        self._model = model
        self._read = read
        self._unsure = unsure
        self._readers = ThreadPoolExecutor(readers, "decode", on_thread)
        self._streams = model.engine.streams
        self._classifiers = ThreadPoolExecutor(self._streams, "classify")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for threads in (self._readers, self._classifiers):
            threads.shutdown(cancel_futures=True)

    def predict(self, photos: Sequence[Photo]) -> list[Predicted]:
        """Classifies photos with one run of the network.

        Returns:
            For each photo its picture and prediction, or why it has none.

        Raises:
            EngineError: The engine failed.
        """
        return self._classify([self._readers.submit(self._read, photo) for photo in photos])

    def stream(self, photos: Iterable[Photo], size: int) -> Iterator[tuple[Photo, Predicted]]:
        """Classifies photos as they come, one batch for each stream of the engine at a time.

        Args:
            photos: The photos; they are taken as needed.
            size: Photos of a batch; the engine's largest is the limit.

        Yields:
            The photos in their order, each with its picture and prediction, or why it has none.

        Raises:
            EngineError: The engine failed.
        """
        remaining = iter(photos)
        size = min(size, self._model.engine.largest)
        running: deque[tuple[list[Photo], Future[list[Predicted]]]] = deque()
        while True:
            # For each stream the batch that runs and one that is decoded, and one more while the caller writes results.
            while len(running) <= 2 * self._streams and (batch := list(itertools.islice(remaining, size))):
                pictures = [self._readers.submit(self._read, photo) for photo in batch]
                running.append((batch, self._classifiers.submit(self._classify, pictures)))
            if not running:
                return
            batch, predicted = running.popleft()
            yield from zip(batch, predicted.result(), strict=True)

    def _classify(self, pictures: Sequence[Future[Picture | Failure]]) -> list[Predicted]:
        decoded = [picture.result() for picture in pictures]
        card = self._model.bundle.card
        pixels = [picture.pixels for picture in decoded if isinstance(picture, Picture)]
        logits = run_network(np.stack(pixels), self._model.engine, card) if pixels else []
        predictions = iter(label_logits(logits, card, unsure=self._unsure))
        return [picture if isinstance(picture, Failure) else (picture, next(predictions)) for picture in decoded]


def decode_open(fd: int, decoders: DecoderPool) -> Picture | Failure:
    """Decodes an open photo; returns its picture, or why it has none."""
    try:
        return decoders.decode(fd)
    except ImageError as error:
        return Failure(error.kind, str(error))
    except OSError as error:
        return Failure("unreadable", error.strerror or str(error))
