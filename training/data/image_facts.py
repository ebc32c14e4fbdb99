"""What is true of each photo of a data set, read from its file once and without a network."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import imagehash
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from rich.progress import Progress

from models.errors import ImageError
from models.images.decode import Fit, Pixels, decode

_THREADS = 4  # Pillow decodes without the interpreter's lock
_VIEW = Fit(side=128, draft=1)  # hashes and means need no more, and JPEGs decode a quarter of the pixels


class Facts(NamedTuple):
    """One photo.

    sha256: hex digest of the file's bytes, "" when they could not be read.
    p_hash, d_hash: perceptual hashes of 64 bits each; photos that look alike differ in few bits.
    width, height: size in the file, in pixels; format: Pillow's name of it; bytes: length of the file.
    sharpness: mean absolute Laplacian of the grey 128 × 128 picture, levels of 0 to 255.
    red, green, blue: mean levels, 0 to 255.
    kind, message: why the picture cannot be read; both "" when it can. Then the figures above are 0.
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


def read(path: str) -> Facts:
    """The facts of one file. A file that is no picture or cannot be read gives its `kind` and `message`, no error."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        return Facts(kind="unreadable", message=error.strerror or str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        picture = decode(data, _VIEW)
    except ImageError as error:
        return Facts(sha256=sha256, bytes=len(data), kind=str(error.kind), message=str(error))
    grey = Image.fromarray(picture.pixels).convert("L")
    red, green, blue = picture.pixels.mean(axis=(0, 1)).tolist()
    return Facts(
        sha256=sha256,
        p_hash=_packed(imagehash.phash(grey)),
        d_hash=_packed(imagehash.dhash(grey)),
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
    """`frame` (columns path, label, split, source) with the columns of Facts beside them, row for row.

    A bar on `progress` shows how far it is.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        read_all: Iterable[Facts] = progress.track(
            pool.map(read, frame["path"]), total=len(frame), description="photos looked at for the audit"
        )
        facts = pd.DataFrame(list(read_all), columns=list(Facts._fields), index=frame.index)
    hashes = {"p_hash": np.uint64, "d_hash": np.uint64}
    return pd.concat([frame, facts.astype(hashes)], axis=1)


def sharpness(grey: Pixels) -> float:
    """Mean absolute response of the 3 × 3 Laplacian on a grey picture uint8 (height, width): 0 for one plain colour."""
    levels: npt.NDArray[np.int16] = grey.astype(np.int16)
    inner = 4 * levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    return float(np.abs(inner - around).mean())


def _packed(hashed: imagehash.ImageHash) -> int:
    return int.from_bytes(np.packbits(hashed.hash.ravel()).tobytes(), "big")
