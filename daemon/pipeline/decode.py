"""Decodes a claimed photo: its digest and pixels, read through the descriptor that was opened when it was claimed."""

import hashlib
import os
from dataclasses import dataclass

from daemon.database.rows import PhotoKey
from daemon.decoders.pool import DecoderPool
from daemon.fs import dirfd
from daemon.inbox.claimed_photo import Claimed
from models.errors import ImageError
from models.images.decode import Picture


@dataclass(frozen=True)
class Decoded:
    """A photo after decoding; exactly one of `picture` and `error` is set.

    Attributes:
        claimed: The photo.
        sha256: Digest of its bytes.
        picture: Its pixels and the facts about the image.
        error: Reason why it could not be decoded.
        attempts: Number of attempts in this run of the daemon.
    """

    claimed: Claimed
    sha256: str
    picture: Picture | None
    error: ImageError | None
    attempts: int = 1

    @property
    def key(self) -> PhotoKey:
        """Key of the photo in the database."""
        claimed = self.claimed
        return PhotoKey(claimed.identity, self.sha256, claimed.path, claimed.linked)


def read(claimed: Claimed, decoders: DecoderPool) -> Decoded:
    """Hashes a claimed photo, syncs it to the disk and decodes it.

    Raises:
        OSError: The file cannot be read or synced.
        PoolStopped: The daemon stops.
    """
    # Hashed here and first: a decoder that read a hostile photo cannot be trusted with the digest.
    with os.fdopen(os.dup(claimed.fd), "rb") as file:
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # The writer may not have synced it, and after a power cut no row may exist without its photo.
    dirfd.sync(claimed.fd, data_only=True)
    try:
        return Decoded(claimed, sha256, decoders.decode(claimed.fd), None)
    except ImageError as error:
        return Decoded(claimed, sha256, None, error)
