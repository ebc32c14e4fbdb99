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
from models.feature_store import Features, FeatureStore
from models.features import FeatureExtractor, feature_digest

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
        self._store: tuple[FeatureStore, str] | None = None
        self._extractor: FeatureExtractor | None = None

    def close(self) -> None:
        """Stops the thread, after at most one batch of photos, and closes the cache."""
        self._closing.set()
        self.wait()
        with self._lock:
            if self._store:
                self._store[0].close()

    def read(self, sha256s: Sequence[str]) -> dict[str, npt.NDArray[np.float16]]:
        """Returns the positions that are there at the full side, float16 (k,), by the photos' SHA-256."""
        if (opened := self._open()) is None:
            return {}
        full = self._thumbnails.bundle.card.fit.side
        store, digest = opened
        stored = store.load(digest, sha256s)
        return {sha256: positions[full] for sha256, positions in stored.items() if full in positions}

    def prepare(self, photos: Sequence[tuple[int, str]]) -> None:
        """Computes missing positions of photos, by id and SHA-256, in a thread, unless one is at work already."""
        if (opened := self._open()) is None:
            return
        known = opened[0].load(opened[1], [sha256 for _, sha256 in photos])
        missing = [photo for photo in photos if photo[1] not in known][:MOST]
        with self._lock:
            is_at_work = self._thread is not None and self._thread.is_alive()
            if missing and not is_at_work and not self._closing.is_set():
                self._thread = threading.Thread(target=self._work, args=(missing, *opened), name="features")
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until the thread is done, at most some time (s)."""
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(timeout_s)

    def _open(self) -> tuple[FeatureStore, str] | None:
        """The cache and the digest of the features; None if there are none."""
        with self._lock:
            if self._store is None and not self._is_off:
                try:
                    self._store = FeatureStore(self._path), feature_digest(self._thumbnails.bundle)
                except (FoodsortError, OSError) as error:
                    self._turn_off(error)
            return None if self._is_off else self._store

    def _work(self, photos: list[tuple[int, str]], store: FeatureStore, digest: str) -> None:
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # of this thread alone
        try:
            # It takes some seconds and some 200 MB, so it waits until features are missing.
            self._extractor = self._extractor or FeatureExtractor(self._thumbnails.bundle)
            remaining = iter(photos)
            while (batch := list(islice(remaining, _BATCH))) and not self._closing.is_set():
                store.save(digest, self._compute(batch, self._extractor))
        except (FoodsortError, OSError) as error:
            self._turn_off(error)

    def _turn_off(self, error: Exception) -> None:
        """The page works without features, and they would fail in the same way again."""
        self._is_off = True
        logging.getLogger(OWNER).warning("photos to label are chosen without their features: %s", error)

    def _compute(self, photos: list[tuple[int, str]], extractor: FeatureExtractor) -> dict[str, Features]:
        """Positions by SHA-256; photos that cannot be decoded are left out."""
        pixels = {}
        for photo_id, sha256 in photos:
            with suppress(ImageUnavailable):
                pixels[sha256] = self._thumbnails.model_input(photo_id)
        if not pixels:
            return {}
        positions = extractor.positions(np.stack(list(pixels.values())))
        return {
            sha256: {side: rows[number] for side, rows in positions.items()} for number, sha256 in enumerate(pixels)
        }
