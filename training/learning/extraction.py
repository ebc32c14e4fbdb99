"""The positions of a person's photos: from the cache, else decoded and through the network once."""

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from rich.progress import Progress

from models.errors import ImageError
from models.feature_store import FeatureStore
from models.features import FeatureExtractor, Positions
from models.images.decode import Fit, Pixels, decode
from training.fitting.features import Features, UnreadablePhoto
from training.fitting.photo_file import open_photo

_THREADS = 4  # as in training.fitting.features
_PREFETCH = 8 * _THREADS
_BATCH = 32
"""Photos that are stored at a time: what an interrupted run has computed is not computed again."""

_T = TypeVar("_T")


class Extracted(NamedTuple):
    """The readable photos of a list.

    Attributes:
        rows: Their rows in the list (m), ascending.
        sha256s: Their SHA-256 (m), of the bytes that were decoded.
        positions: By side (pixels), float32 (m, k).
        unreadable: The other photos.
    """

    rows: list[int]
    sha256s: list[str]
    positions: dict[int, Features]
    unreadable: list[UnreadablePhoto]


class _Decoded(NamedTuple):
    sha256: str
    pixels: Pixels


def extract(
    extractor: FeatureExtractor, fit: Fit, paths: Sequence[str], store: FeatureStore | None, progress: Progress
) -> Extracted:
    """Computes the positions of photos.

    Args:
        extractor: The network.
        fit: How photos become its input.
        paths: The photos.
        store: Cache of positions.
        progress: Gets a bar.
    """
    task = progress.add_task("photos read", total=len(paths))
    found: dict[int, str] = {}
    unreadable: list[UnreadablePhoto] = []
    for row, digest in enumerate(_in_threads(_hash, paths)):
        if isinstance(digest, UnreadablePhoto):
            unreadable.append(digest)
        else:
            found[row] = digest
        progress.advance(task)
    positions = store.load(extractor.digest, found.values()) if store is not None else {}
    positions = {sha256: by_side for sha256, by_side in positions.items() if by_side.keys() == set(extractor.sides)}
    missing = [row for row, sha256 in found.items() if sha256 not in positions]
    task = progress.add_task("photos through the network", total=len(missing))
    decoded = zip(missing, _in_threads(lambda path: _decode(path, fit), [paths[row] for row in missing]), strict=True)
    while batch := list(itertools.islice(decoded, _BATCH)):
        new: dict[int, _Decoded] = {}
        for row, photo in batch:
            if isinstance(photo, UnreadablePhoto):
                unreadable.append(photo)
                del found[row]
            else:
                new[row] = photo
                found[row] = photo.sha256  # the file may have been replaced since it was hashed
        computed = _compute(extractor, list(new.values()))
        if store is not None:
            store.save(extractor.digest, computed)
        positions |= computed
        progress.advance(task, len(batch))
    rows = sorted(found)
    return Extracted(
        rows=rows,
        sha256s=[found[row] for row in rows],
        positions={
            side: np.array([positions[found[row]][side] for row in rows], np.float32) for side in extractor.sides
        },
        unreadable=unreadable,
    )


def _compute(extractor: FeatureExtractor, photos: Sequence[_Decoded]) -> dict[str, dict[int, Positions]]:
    if not photos:
        return {}
    by_side = extractor.positions(np.stack([photo.pixels for photo in photos]))
    return {
        photo.sha256: {side: positions[index] for side, positions in by_side.items()}
        for index, photo in enumerate(photos)
    }


def _in_threads(work: Callable[[str], _T], paths: Sequence[str]) -> Iterator[_T]:
    """Yields the results in order; a limited number of them is in memory."""
    with ThreadPoolExecutor(_THREADS) as pool:
        remaining = iter(paths)
        futures = deque(pool.submit(work, path) for path in itertools.islice(remaining, _PREFETCH))
        while futures:
            future = futures.popleft()
            futures.extend(pool.submit(work, path) for path in itertools.islice(remaining, 1))
            yield future.result()


def _hash(path: str) -> str | UnreadablePhoto:
    try:
        with open_photo(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return UnreadablePhoto(path, "unreadable", error.strerror or str(error))


def _decode(path: str, fit: Fit) -> _Decoded | UnreadablePhoto:
    try:
        with open_photo(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            return _Decoded(sha256, decode(file, fit).pixels)
    except ImageError as error:
        return UnreadablePhoto(path, error.kind, str(error))
    except OSError as error:
        return UnreadablePhoto(path, "unreadable", error.strerror or str(error))
