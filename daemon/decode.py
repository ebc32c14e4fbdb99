"""A claimed photo to its digest and pixels, read through the one descriptor that was opened when it was claimed."""

import hashlib
import os
from dataclasses import dataclass

from daemon.claim import Claimed
from models.errors import ImageError, ImageErrorKind
from models.images import Fit, Picture, decode

_WHOLE_BYTES = 64 << 20  # larger files are read twice, from the page cache, rather than held in memory


@dataclass(frozen=True)
class Decoded:
    """A photo after decoding: exactly one of picture and error is set."""

    claimed: Claimed
    sha256: str
    picture: Picture | None
    error: ImageError | None
    attempts: int = 1


def read(claimed: Claimed, fit: Fit, max_pixels: int) -> Decoded:
    """Hashes and decodes a claimed photo. Raises OSError when the disk does."""
    with os.fdopen(os.dup(claimed.fd), "rb") as file:
        source: bytes | None = None
        if claimed.stat.st_size <= _WHOLE_BYTES:
            source = file.read()
            sha256 = hashlib.sha256(source).hexdigest()
        else:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
        try:
            return Decoded(claimed, sha256, decode(file if source is None else source, fit, max_pixels), None)
        except ImageError as error:
            return Decoded(claimed, sha256, None, error)
        except MemoryError:
            too_large = ImageError(ImageErrorKind.TOO_LARGE, "there is too little memory to decode it")
            return Decoded(claimed, sha256, None, too_large)
