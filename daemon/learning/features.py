"""Computes the features of photos for learning: decoded in the sandbox, so that no other process opens them."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from daemon.decoders.pool import DecoderPool
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.originals import CHANGED, OriginalMissing, open_original
from daemon.queries.labelled import LabelledPhoto
from models.errors import FoodsortError
from models.feature_store import FeatureStore
from models.features import FeatureExtractor
from models.filenames import escape_name
from models.images.decode import Pixels

_BATCH = 16


def compute(
    photos: list[list[LabelledPhoto]],
    destinations: DestinationFolders,
    decoders: DecoderPool,
    extractor: FeatureExtractor,
    store: FeatureStore,
    on_photo: Callable[[], None],
) -> tuple[list[LabelledPhoto], list[str]]:
    """Stores the features of photos that have none yet.

    Args:
        photos: The copies of each photo; the first one that is at its place and can be decoded counts.
        destinations: The folders that photos are in.
        decoders: Decodes them.
        extractor: Computes features.
        store: Keeps them.
        on_photo: Called after each photo.

    Returns:
        The photos with features, and for each of the others why it has none.

    Raises:
        EngineError: The network failed.
    """
    known = store.load(extractor.digest, (copies[0].sha256 for copies in photos))
    found: list[LabelledPhoto] = []
    problems: list[str] = []
    remaining = iter(photos)
    with ThreadPoolExecutor(decoders.size) as threads:
        while batch := list(islice(remaining, _BATCH)):
            new = [copies for copies in batch if copies[0].sha256 not in known]
            found += [copies[0] for copies in batch if copies[0].sha256 in known]
            decoded = list(threads.map(lambda copies: _decode_first(copies, destinations, decoders), new))
            readable = [(photo, pixels) for photo, pixels, _ in decoded if photo and pixels is not None]
            if readable:
                positions = extractor.positions(np.stack([pixels for _, pixels in readable]))
                by_photo = ({side: rows[number] for side, rows in positions.items()} for number in range(len(readable)))
                digests = [photo.sha256 for photo, _ in readable]
                store.save(extractor.digest, dict(zip(digests, by_photo, strict=True)))
            found += [photo for photo, _ in readable]
            problems += [problem for photo, _, reasons in decoded if photo is None for problem in reasons]
            for _ in batch:
                on_photo()
    return found, problems


def _decode_first(
    copies: Iterable[LabelledPhoto], destinations: DestinationFolders, decoders: DecoderPool
) -> tuple[LabelledPhoto | None, Pixels | None, list[str]]:
    problems = []
    for photo in copies:
        try:
            return photo, _decode(photo, destinations, decoders), []
        except OriginalMissing as error:
            problems.append(f"{escape_name(photo.path)} {error}")
        except FoodsortError as error:
            problems.append(f"{escape_name(photo.path)} cannot be decoded: {error}")
        except OSError as error:
            problems.append(f"{escape_name(photo.path)} cannot be read: {error.strerror}")
    return None, None, problems


def _decode(photo: LabelledPhoto, destinations: DestinationFolders, decoders: DecoderPool) -> Pixels:
    fd = open_original(destinations, photo.path)
    try:
        with os.fdopen(os.dup(fd), "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != photo.sha256:
                raise OriginalMissing(CHANGED)
        return decoders.decode(fd).pixels
    finally:
        os.close(fd)
