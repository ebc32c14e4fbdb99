"""A claimed photo to its digest and pixels, read through the one descriptor that was opened when it was claimed."""

import errno
import hashlib
import os
from dataclasses import dataclass

from daemon.claim import Claimed
from daemon.decoders.pool import Decoders
from models.errors import ImageError
from models.images import Picture

_NOT_FOR_IT = {errno.EINVAL, errno.EROFS}  # files and filesystems that have nothing to write down


@dataclass(frozen=True)
class Decoded:
    """A photo after decoding: exactly one of picture and error is set. attempts: how many tries it took."""

    claimed: Claimed
    sha256: str
    picture: Picture | None
    error: ImageError | None
    attempts: int = 1


def read(claimed: Claimed, decoders: Decoders) -> Decoded:
    """Hashes a claimed photo, sees to it that it is on the disk, and decodes it. Raises OSError when the disk does, Stopped."""
    # Here and before: who decoded a hostile photo can't be trusted with what identifies it.
    with os.fdopen(os.dup(claimed.fd), "rb") as file:
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    _sync(claimed.fd)
    try:
        return Decoded(claimed, sha256, decoders.decode(claimed.fd), None)
    except ImageError as error:
        return Decoded(claimed, sha256, None, error)


def _sync(fd: int) -> None:
    """Writes the photo's bytes down, as its writer may not have: no row shall outlive, at a power cut, what it tells of."""
    try:
        os.fdatasync(fd)
    except OSError as error:
        if error.errno not in _NOT_FOR_IT:
            raise
