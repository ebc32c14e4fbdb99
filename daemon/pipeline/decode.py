"""Decodes a claimed photo: its digest and pixels, read through the descriptor that was opened when it was claimed."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from daemon.database.rows import PhotoKey
from daemon.database.timestamps import format_mtime
from daemon.decoders.pool import DecoderPool
from daemon.fs import dirfd
from daemon.inbox.claimed_photo import Claimed
from daemon.photo import UNREAD_SHA256
from models.errors import ImageError, ImageErrorKind
from models.images.decode import Picture
from models.images.formats import DEFAULT_MAX_BYTES

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Decoded:
    """A photo after decoding; exactly one of `picture` and `error` is set.

    Attributes:
        claimed: The photo.
        sha256: Digest of its bytes; UNREAD_SHA256 when it is too large to be read.
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
        modified_at = format_mtime(claimed.stat.st_mtime_ns)
        return PhotoKey(
            identity=claimed.identity_in_inbox,
            sha256=self.sha256,
            path=claimed.path,
            linked=claimed.linked,
            modified_at=modified_at,
            copied=claimed.original is not None,
        )


def read(
    claimed: Claimed,
    decoders: DecoderPool,
    max_bytes: int = DEFAULT_MAX_BYTES,
    on_progress: Callable[[], None] = lambda: None,
) -> Decoded:
    """Hashes a claimed photo, syncs it to the disk and decodes it.

    Args:
        claimed: The photo.
        decoders: Pool that decodes it.
        max_bytes: Size of the largest file to read; of a larger one not a byte is read.
        on_progress: Called after each piece of the photo that was hashed.

    Raises:
        OSError: The file cannot be read or synced.
        PoolStopped: The daemon stops.
    """
    size = os.fstat(claimed.fd).st_size
    if size > max_bytes:
        message = f"{size} bytes are more than the limit of {max_bytes}; raise images.max_bytes to allow it"
        return Decoded(claimed, UNREAD_SHA256, None, ImageError(ImageErrorKind.TOO_LARGE, message))

    def on_piece() -> None:
        decoders.raise_if_stopped()
        on_progress()

    # Hashed here and first: a decoder that read a hostile photo cannot be trusted with the digest.
    sha256 = hash_and_sync(claimed, on_piece)
    try:
        return Decoded(claimed, sha256, decoders.decode(claimed.fd), None)
    except ImageError as error:
        return Decoded(claimed, sha256, None, error)


def hash_and_sync(claimed: Claimed, on_piece: Callable[[], None]) -> str:
    """Hashes a claimed file and syncs it to the disk.

    What a writer appends meanwhile is not read; it has changed the file, so the file goes back to the inbox.

    Args:
        claimed: The file.
        on_piece: Called after each piece; may raise, so that a stop does not wait for the rest of a large file.

    Raises:
        OSError: The file cannot be read or synced.
    """
    size = os.fstat(claimed.fd).st_size
    digest = hashlib.sha256()
    piece = memoryview(bytearray(min(size, _PIECE_BYTES)))
    offset = 0
    while offset < size and (count := os.preadv(claimed.fd, [piece], offset)):
        digest.update(piece[:count])
        offset += count
        on_piece()
    # The writer may not have synced it, and after a power cut no row may exist without its file.
    dirfd.sync(claimed.fd, data_only=True)
    return digest.hexdigest()
