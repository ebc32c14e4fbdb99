"""Positions of photos that a person may be asked about, computed behind the page and kept for all processes."""

import logging
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from daemon.settings import Settings
from daemon.web.thumbnails import ImageUnavailable, ThumbnailCache
from models import OWNER
from models.errors import FoodsortError
from models.feature_store import FeatureStore
from models.features import FeatureExtractor

FILE = "models/features.db"
"""The cache, below the root; `foodsort learn` uses the same."""
MOST = 80
"""Most photos that one call computes: some seconds on two processors."""
_BATCH = 8
_NICE = 10
"""Niceness of the thread: the daemon and the page come first."""


class PhotoFeatures:
    """Reads positions of photos, and computes missing ones in a thread. Any thread may call it."""

    def __init__(self, root: Path, settings: Settings, thumbnails: ThumbnailCache) -> None:
        """Opens nothing yet.

        Args:
            root: The root folder.
            settings: Its settings; the scripted engine has no features.
            thumbnails: Decodes the photos.
        """
        self._path = root.absolute() / FILE
        self._is_off = settings.model.engine == "scripted"
        self._thumbnails = thumbnails
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._opened: tuple[FeatureStore, FeatureExtractor] | None = None

    def close(self) -> None:
        """Stops the thread, after at most one batch of photos, and closes the cache."""
        self._closing.set()
        with self._lock:
            thread = self._thread
        if thread:
            thread.join()
        if self._opened:
            self._opened[0].close()

    def read(self, sha256s: Sequence[str]) -> dict[str, npt.NDArray[np.float16]]:
        """Returns the positions that are there at the full side, float16 (k,), by the photos' SHA-256."""
        if self._opened is None:
            return {}
        store, extractor = self._opened
        full = extractor.sides[0]
        stored = store.load(extractor.digest, sha256s)
        return {sha256: positions[full] for sha256, positions in stored.items() if full in positions}

    def prepare(self, photos: Sequence[tuple[int, str]]) -> None:
        """Computes the positions of photos, by id and SHA-256, in a thread, unless one is at work already."""
        with self._lock:
            if self._is_off or self._closing.is_set() or (self._thread and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._work, args=(list(photos[:MOST]),), name="features")
            self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Waits until the thread is done, at most some time (s)."""
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(timeout_s)

    def _work(self, photos: list[tuple[int, str]]) -> None:
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread alone
        try:
            if self._opened is None:
                self._opened = FeatureStore(self._path), FeatureExtractor(self._thumbnails.bundle)
            self._compute(photos, *self._opened)
        except (FoodsortError, OSError) as error:
            self._is_off = True  # the page works without, and would fail in the same way again
            logging.getLogger(OWNER).warning("photos to label are chosen without their features: %s", error)

    def _compute(self, photos: list[tuple[int, str]], store: FeatureStore, extractor: FeatureExtractor) -> None:
        known = store.load(extractor.digest, [sha256 for _, sha256 in photos])
        remaining = iter([photo for photo in photos if photo[1] not in known])
        while (batch := list(islice(remaining, _BATCH))) and not self._closing.is_set():
            pixels = {}
            for photo_id, sha256 in batch:
                with suppress(ImageUnavailable):
                    pixels[sha256] = self._thumbnails.model_input(photo_id)
            if pixels:
                positions = extractor.positions(np.stack(list(pixels.values())))
                by_photo = {
                    sha256: {side: rows[number] for side, rows in positions.items()}
                    for number, sha256 in enumerate(pixels)
                }
                store.save(extractor.digest, by_photo)
