"""Photos as the review page shows them: decoded by processes that can reach nothing, written anew as JPEG, kept in memory."""

import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import RLock
from typing import Any

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
from models.errors import FoodsortError
from models.images.decode import Fit, Pixels, Within

THUMBNAIL_PX = 320
"""Longest side of a thumbnail: twice what a phone's column is wide, for screens of fine dots."""
LARGE_PX = 1600
"""Longest side of a photo that is looked at alone."""
CACHE_BYTES = 64 << 20
"""What is kept in memory: some 4,000 thumbnails."""


class ImageUnavailable(FoodsortError):
    """Raised when there is nothing to show of a photo. The message says why."""


class ThumbnailCache:
    """Makes JPEG pictures of the photos of one root, by the ids of their rows; from as many threads as may be."""

    def __init__(self, root: Path, settings: Settings, engine: sa.Engine) -> None:
        """Starts decoders. Raises BundleError, OSError when there is no inbox."""
        self._engine, self._images = engine, settings.images
        self._bundle = loaded_model.load(root, settings)
        self.explained_by = self._bundle.sha256
        """Digest of the model whose maps `why` draws."""
        self._explainer = Explainer(self._bundle, settings.model)
        self._cache: cachetools.LRUCache[tuple[str, str], bytes] = cachetools.LRUCache(CACHE_BYTES, getsizeof=len)
        self._claims = Claims(root / settings.folders.inbox)
        self._destinations = DestinationFolders(root, settings.folders, self._claims)
        self._lock = RLock()
        self._pools: dict[Fit | Within, DecoderPool] = {}
        # Workers end with the thread that started them, so these threads have to stay.
        self._threads = ThreadPoolExecutor(self._pool(Within(THUMBNAIL_PX), 0).size)

    def close(self) -> None:
        """Ends all that was started."""
        for pool in self._pools.values():
            pool.stop()
        self._threads.shutdown()
        for pool in self._pools.values():
            pool.close()
        self._claims.close()

    def thumbnail(self, photo_id: int) -> bytes:
        """A small JPEG of a photo. Raises ImageUnavailable."""
        return self._of(photo_id, "thumbnail", lambda fd: self._decode(fd, Within(THUMBNAIL_PX)))

    def large(self, photo_id: int) -> bytes:
        """A large JPEG of a photo. Raises ImageUnavailable."""
        return self._of(photo_id, "large", lambda fd: self._decode(fd, Within(LARGE_PX)))

    def why(self, photo_id: int) -> bytes:
        """A large JPEG with what spoke for and against food laid over it, by the model of the settings. Raises ImageUnavailable."""

        def draw(fd: int) -> Pixels:
            return self._explainer.over(self._decode(fd, Within(LARGE_PX)), self._decode(fd, self._bundle.card.fit))

        return self._of(photo_id, f"why {self._bundle.sha256}", draw)

    def _of(self, photo_id: int, kind: str, draw: Callable[[int], Pixels]) -> bytes:
        p = photos.c
        query = sa.select(p.path_bytes, p.sha256, p.size_bytes, p.modified_at).where(p.id == photo_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ImageUnavailable("there is no such photo")
        try:
            fd = open_original(self._destinations, row.path_bytes)
        except OriginalMissing as gone:
            raise ImageUnavailable(f"the photo {gone}") from gone
        try:
            # Looked for each time: what somebody took away, or put another file in the place of, is not shown.
            if not _is_it(fd, row):
                raise ImageUnavailable(f"the photo {CHANGED}")
            return self._kept((kind, row.sha256), lambda: draw(fd))
        finally:
            os.close(fd)

    def _kept(self, key: tuple[str, str], draw: Callable[[], Pixels]) -> bytes:
        with self._lock:
            kept = self._cache.get(key)
        if kept is None:
            try:
                kept = _jpeg(self._threads.submit(draw).result())
            except (FoodsortError, OSError, PoolStopped) as error:
                raise ImageUnavailable(f"no picture can be made of it: {error}") from error
            with self._lock:
                self._cache[key] = kept
        return kept

    def _decode(self, fd: int, fit: Fit | Within) -> Pixels:
        return self._pool(fit, 1).decode(fd).pixels

    def _pool(self, fit: Fit | Within, size: int) -> DecoderPool:
        with self._lock:
            if fit not in self._pools:
                self._pools[fit] = DecoderPool(fit, self._images.max_pixels, self._images.timeout_s, size)
            return self._pools[fit]


def _is_it(fd: int, row: Any) -> bool:
    stat = os.fstat(fd)
    if (stat.st_size, format_mtime(stat.st_mtime_ns)) == (row.size_bytes, row.modified_at):
        return True
    with os.fdopen(os.dup(fd), "rb") as file:
        return bool(hashlib.file_digest(file, "sha256").hexdigest() == row.sha256)


def _jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=85)
    return file.getvalue()
