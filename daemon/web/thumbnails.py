"""Photos as the page shows them: decoded in sandboxed processes, encoded as JPEG again, cached in memory."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import NamedTuple

import cachetools
import numpy as np
import sqlalchemy as sa
from PIL import Image

from daemon.database.schema import photos
from daemon.database.timestamps import format_mtime
from daemon.decoders.pool import DecoderPool, PoolStopped
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.originals import CHANGED, OriginalMissing, open_original
from daemon.inbox.claims import Claims
from daemon.pipeline import loaded_model
from daemon.settings import Settings
from daemon.web.explainer import Explainer
from models.bundle import Bundle
from models.errors import BundleError, FoodsortError
from models.images.decode import Fit, Pixels, Within

THUMBNAIL_PX = 320
"""Longest side of a thumbnail (px): twice the width of a column on a phone, for screens of high density."""
LARGE_PX = 1600
"""Longest side of a large photo (px)."""
CACHE_BYTES = 64 << 20
"""Size of the cache in memory (bytes): some 4,000 thumbnails."""
_JPEG_QUALITY = 85


class ImageUnavailable(FoodsortError):
    """Raised when there is no image of a photo. The message has the reason."""


class _File(NamedTuple):
    """A photo's file, as its row describes it."""

    path: bytes
    sha256: str
    size_bytes: int
    modified_at: str
    look: int | None


class ThumbnailCache:
    """Makes JPEGs of the photos of one root, by the ids of their rows. Any thread may call it."""

    def __init__(self, root: Path, settings: Settings, engine: sa.Engine) -> None:
        """Loads the bundle and starts decoders. Raises BundleError, or OSError if there is no inbox."""
        self._root = root
        self._settings = settings
        self._engine = engine
        self._images = settings.images
        self._explainer = Explainer(loaded_model.load(root, settings), settings.model)
        self._cache: cachetools.LRUCache[tuple[str, str], bytes] = cachetools.LRUCache(CACHE_BYTES, getsizeof=len)
        self._claims = Claims(root / settings.folders.inbox)
        self._destinations = DestinationFolders(root, settings.folders, self._claims)
        self._lock = RLock()
        self._pools: dict[Fit | Within, DecoderPool] = {}
        # Workers end with the thread that started them, so these threads have to stay.
        self._threads = ThreadPoolExecutor(self._pool(Within(THUMBNAIL_PX), 0).size)

    def close(self) -> None:
        """Stops decoders and threads, and closes the inbox."""
        for pool in self._pools.values():
            pool.stop()
        self._threads.shutdown()
        for pool in self._pools.values():
            pool.close()
        self._claims.close()

    @property
    def bundle(self) -> Bundle:
        """The live bundle, which `explanation` explains; the one before it while that cannot be loaded."""
        return self._live_explainer().bundle

    def thumbnail(self, photo_id: int) -> bytes:
        """A small JPEG of a photo. Raises ImageUnavailable."""
        return self._image(photo_id, "thumbnail", lambda fd: self._decode(fd, Within(THUMBNAIL_PX)))

    def large(self, photo_id: int) -> bytes:
        """A large JPEG of a photo. Raises ImageUnavailable."""
        return self._image(photo_id, "large", lambda fd: self._decode(fd, Within(LARGE_PX)))

    def explanation(self, photo_id: int) -> bytes:
        """A large JPEG of a photo under the map of the evidence for food and against it. Raises ImageUnavailable."""
        look = self._file(photo_id).look
        explainer = self._live_explainer()

        def draw(fd: int) -> Pixels:
            photo = self._decode(fd, Within(LARGE_PX))
            return explainer.overlay(photo, self._decode(fd, explainer.bundle.card.fit), look)

        return self._image(photo_id, f"explanation {explainer.bundle.sha256} {look}", draw)

    def model_input(self, photo_id: int) -> Pixels:
        """A photo as the network gets it, uint8 RGB (side, side, 3). Raises ImageUnavailable."""
        with self._open(self._file(photo_id)) as fd:
            return self._draw(lambda: self._decode(fd, self.bundle.card.fit))

    def _live_explainer(self) -> Explainer:
        """The explainer of the live bundle, which another process, or this page, may have changed."""
        with self._lock:
            try:
                if loaded_model.sha256(self._root, self._settings) != self._explainer.bundle.sha256:
                    self._explainer = Explainer(loaded_model.load(self._root, self._settings), self._settings.model)
            except BundleError:
                pass  # `foodsort doctor` and the model page name the file
            return self._explainer

    def _image(self, photo_id: int, kind: str, draw: Callable[[int], Pixels]) -> bytes:
        file = self._file(photo_id)
        with self._open(file) as fd:
            return self._cached((kind, file.sha256), lambda: draw(fd))

    @contextmanager
    def _open(self, file: _File) -> Iterator[int]:
        """Opens a photo. Raises ImageUnavailable."""
        try:
            fd = open_original(self._destinations, file.path)
        except OriginalMissing as error:
            raise ImageUnavailable(f"the photo {error}") from error
        try:
            # Each time, also if the image is cached: a photo that was removed or replaced is not shown.
            if not _is_same(fd, file):
                raise ImageUnavailable(f"the photo {CHANGED}")
            yield fd
        finally:
            os.close(fd)

    def _file(self, photo_id: int) -> _File:
        p = photos.c
        query = sa.select(p.path_bytes, p.sha256, p.size_bytes, p.modified_at, p.look).where(p.id == photo_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ImageUnavailable("there is no such photo")
        return _File._make(row)

    def _cached(self, key: tuple[str, str], draw: Callable[[], Pixels]) -> bytes:
        with self._lock:
            jpeg = self._cache.get(key)
        if jpeg is None:
            jpeg = _encode(self._draw(draw))
            with self._lock:
                self._cache[key] = jpeg
        return jpeg

    def _draw(self, draw: Callable[[], Pixels]) -> Pixels:
        """Draws in a thread that stays. Raises ImageUnavailable."""
        try:
            return self._threads.submit(draw).result()
        except (FoodsortError, OSError, PoolStopped) as error:
            raise ImageUnavailable(f"no image can be made of it: {error}") from error

    def _decode(self, fd: int, fit: Fit | Within) -> Pixels:
        return self._pool(fit, 1).decode(fd).pixels

    def _pool(self, fit: Fit | Within, size: int) -> DecoderPool:
        with self._lock:
            if fit not in self._pools:
                self._pools[fit] = DecoderPool(fit, self._images.max_pixels, self._images.timeout_s, size)
            return self._pools[fit]


def _is_same(fd: int, expected: _File) -> bool:
    """Whether an open file has the size and modification time of the row, or at least its sha256."""
    stat = os.fstat(fd)
    if (stat.st_size, format_mtime(stat.st_mtime_ns)) == (expected.size_bytes, expected.modified_at):
        return True
    with os.fdopen(os.dup(fd), "rb") as file:
        return bool(hashlib.file_digest(file, "sha256").hexdigest() == expected.sha256)


def _encode(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
