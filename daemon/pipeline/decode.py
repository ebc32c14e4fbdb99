"""A claimed photo to its digest and pixels, read through the one descriptor that was opened when it was claimed."""

import hashlib
import os
from dataclasses import dataclass

from daemon.database.rows import PhotoKey
from daemon.decoders.pool import DecoderPool
from daemon.fs import dirfd
from daemon.inbox.claims import Claimed
from models.errors import ImageError
from models.images.decode import Picture


@dataclass(frozen=True)
class Decoded:
    """A photo after decoding: exactly one of picture and error is set. attempts: how many tries it took."""

    claimed: Claimed
    sha256: str
    picture: Picture | None
    error: ImageError | None
    attempts: int = 1

    @property
    def key(self) -> PhotoKey:
        """What the photo is found by in the database."""
        claimed = self.claimed
        return PhotoKey(claimed.identity, self.sha256, claimed.path, claimed.linked)


def read(claimed: Claimed, decoders: DecoderPool) -> Decoded:
    """Hashes a claimed photo, sees to it that it is on the disk, and decodes it. Raises OSError when the disk does, Stopped."""
    # Here and before: who decoded a hostile photo can't be trusted with what identifies it.
    with os.fdopen(os.dup(claimed.fd), "rb") as file:
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # Its writer may not have seen to that, and no row shall outlive, at a power cut, what it tells of.
    dirfd.sync(claimed.fd, data_only=True)
    try:
        return Decoded(claimed, sha256, decoders.decode(claimed.fd), None)
    except ImageError as error:
        return Decoded(claimed, sha256, None, error)
