"""Whether the photo of a row is at a place."""

from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd, filesystem
from daemon.fs.entry import Entry
from daemon.photo import UNREAD_SHA256


def has_photo(destinations: DestinationFolders, place: bytes, identity: str, sha256: str, *, claimed: bool) -> bool:
    """Whether a place has the photo of a row.

    Args:
        destinations: The folders.
        place: Place that the row names.
        identity: Device and inode in the row.
        sha256: Digest in the row.
        claimed: Whether a file is in the claim folder too.

    Raises:
        OSError: The file cannot be read.
    """
    with destinations.open_existing(place) as (fd, name):
        stat = None if fd is None else Entry(fd, name).find()
        if fd is None or stat is None:
            return False
        tells = filesystem.has_lasting_inodes(fd) or sha256 == UNREAD_SHA256
        if tells and dirfd.identity(stat) == identity:
            return True
        # A rename leaves a photo in only one of the two places, so this is another photo, even with the same bytes.
        if claimed and stat.st_dev == destinations.device_of_inbox:
            return False
        # Another filesystem, or one whose device number changed at a reboot.
        return dirfd.is_regular(stat) and sha256 != UNREAD_SHA256 and Entry(fd, name).sha256() == sha256


def has_left(destinations: DestinationFolders, place: bytes, identity: str | None) -> bool:
    """Whether a claimed photo of a row's bytes may have been moved by hand from the row's place back to the inbox.

    Args:
        destinations: The folders.
        place: Place that the row names.
        identity: Device and inode in the row, if they are those of the claimed photo; None if the photo has others,
            as after a move from another filesystem.

    Raises:
        OSError: The folder cannot be read.
    """
    with destinations.open_existing(place) as (fd, name):
        if fd is None:  # its filesystem may be away
            return identity is not None
        stat = Entry(fd, name).find()
        return stat is None or (identity is not None and dirfd.identity(stat) != identity)
