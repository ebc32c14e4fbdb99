"""Facts about each photo of a data set, read from its file once, without a network."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import imagehash
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from rich.progress import Progress

from models.errors import ImageError
from models.images.decode import Fit, Pixels, decode
from training.fitting.photo_file import open_photo

_THREADS = 4  # Pillow releases the global interpreter lock while it decodes
_FIT = Fit(side=128, draft=1)  # enough for hashes and means, and JPEGs decode a quarter of the pixels


class ImageFacts(NamedTuple):
    """The facts about one photo.

    Attributes:
        sha256: Hex digest of the file's bytes, "" if they could not be read.
        p_hash: Perceptual hash (DCT) of 64 bits. Hashes of similar photos differ in few bits.
        d_hash: Perceptual hash (gradients) of 64 bits.
        width: Width in the file, in pixels.
        height: Height in the file, in pixels.
        format: Pillow's name of the format.
        bytes: Length of the file.
        sharpness: Mean absolute Laplacian of the grey 128 × 128 picture, in levels of 0 to 255.
        red: Mean level, 0 to 255.
        green: Mean level, 0 to 255.
        blue: Mean level, 0 to 255.
        kind: Kind of the error if the photo cannot be read, otherwise "". With an error the facts above are 0.
        message: The error for people, or "".
    """

    sha256: str = ""
    p_hash: int = 0
    d_hash: int = 0
    width: int = 0
    height: int = 0
    format: str = ""
    bytes: int = 0
    sharpness: float = 0.0
    red: float = 0.0
    green: float = 0.0
    blue: float = 0.0
    kind: str = ""
    message: str = ""


def read_facts(path: str) -> ImageFacts:
    """Reads the facts of one file; an error is returned as `kind` and `message`, not raised."""
    try:
        with open_photo(path) as file:
            data = file.read()
    except OSError as error:
        return ImageFacts(kind="unreadable", message=error.strerror or str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        picture = decode(data, _FIT)
    except ImageError as error:
        return ImageFacts(sha256=sha256, bytes=len(data), kind=str(error.kind), message=str(error))
    grey = Image.fromarray(picture.pixels).convert("L")
    red, green, blue = picture.pixels.mean(axis=(0, 1)).tolist()
    return ImageFacts(
        sha256=sha256,
        p_hash=_as_integer(imagehash.phash(grey)),
        d_hash=_as_integer(imagehash.dhash(grey)),
        width=picture.width,
        height=picture.height,
        format=picture.format,
        bytes=len(data),
        sharpness=sharpness(np.asarray(grey)),
        red=red,
        green=green,
        blue=blue,
    )


def gather(frame: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """Reads the facts of all photos.

    Args:
        frame: Columns path, label, split, source.
        progress: Gets a bar.

    Returns:
        `frame` with the columns of ImageFacts added.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        all_facts: Iterable[ImageFacts] = progress.track(
            pool.map(read_facts, frame["path"]), total=len(frame), description="photos audited"
        )
        facts = pd.DataFrame(list(all_facts), columns=list(ImageFacts._fields), index=frame.index)
    hash_types = {"p_hash": np.uint64, "d_hash": np.uint64}
    return pd.concat([frame, facts.astype(hash_types)], axis=1)


def sharpness(grey: Pixels) -> float:
    """Returns the mean absolute response of the 3 × 3 Laplacian; 0 for a uniform picture.

    Args:
        grey: uint8 (height, width).
    """
    levels: npt.NDArray[np.int16] = grey.astype(np.int16)
    inner = 4 * levels[1:-1, 1:-1]
    neighbours = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    return float(np.abs(inner - neighbours).mean())


def _as_integer(image_hash: imagehash.ImageHash) -> int:
    return int.from_bytes(np.packbits(image_hash.hash.ravel()).tobytes(), "big")
