"""The filesystem that a path is on, from /proc/self/mountinfo (proc(5))."""

import os
import re
from pathlib import Path
from typing import NamedTuple

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "ceph", "afs", "prl_fs", "fuse"}
)
"""Filesystem types on which other machines or programs change files. All FUSE types count too; they begin with `fuse.`."""


class Mount(NamedTuple):
    """A mounted filesystem.

    Attributes:
        point: Absolute path of the mount point.
        type: Filesystem type, such as `ext4`.
    """

    point: bytes
    type: str

    @property
    def shared(self) -> bool:
        """Whether files may change there without an inotify event here."""
        return self.type in NETWORK or self.type.startswith("fuse.")


def parse_mountinfo(mountinfo: bytes) -> list[Mount]:
    """Returns the mounts of a mountinfo file, in the order of its lines."""
    mounts = []
    for line in mountinfo.splitlines():
        fields, _, source = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields.split(b" ")[4])
        mounts.append(Mount(point, source.split(b" ")[0].decode()))
    return mounts


def find_mount(path: bytes, mounts: list[Mount]) -> Mount | None:
    """Returns the mount of an absolute path without links: the deepest one, and of several the latest."""
    covering = [mount for mount in mounts if (path + b"/").startswith(mount.point.rstrip(b"/") + b"/")]
    return max(reversed(covering), key=lambda mount: len(mount.point), default=None)


def mount_of(path: Path) -> Mount | None:
    """Returns the mount of a path, None when the mounts cannot be read."""
    try:
        mounts = parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return None
    return find_mount(os.path.realpath(os.fsencode(path)), mounts)
