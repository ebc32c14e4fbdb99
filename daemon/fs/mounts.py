"""Which filesystem a path lies on, by /proc/self/mountinfo (proc(5))."""

import os
import re
from pathlib import Path
from typing import NamedTuple

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "ceph", "afs", "prl_fs", "fuse"}
)
"""Filesystems on which others than this kernel change files; so do all of FUSE, whose types begin with `fuse.`."""


class Mount(NamedTuple):
    """A mounted filesystem: where, and its type."""

    point: bytes
    type: str

    @property
    def shared(self) -> bool:
        """Whether files may change there without an event here."""
        return self.type in NETWORK or self.type.startswith("fuse.")


def mounts(mountinfo: bytes) -> list[Mount]:
    """All lines of a mountinfo, in their order."""
    found = []
    for line in mountinfo.splitlines():
        fields, _, source = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields.split(b" ")[4])
        found.append(Mount(point, source.split(b" ")[0].decode()))
    return found


def of(path: bytes, among: list[Mount]) -> Mount | None:
    """The mount that an absolute path without links lies on: the deepest, and of those the one mounted last."""
    covering = [mount for mount in among if (path + b"/").startswith(mount.point.rstrip(b"/") + b"/")]
    return max(reversed(covering), key=lambda mount: len(mount.point), default=None)


def mount_of(path: Path) -> Mount | None:
    """The mount that a path lies on; None where the kernel does not say."""
    try:
        among = mounts(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return None
    return of(os.path.realpath(os.fsencode(path)), among)
