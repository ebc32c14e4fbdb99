"""Destinations on mounted filesystems: while one is not mounted, its photos must not land below its mount point."""

import errno
import os
from pathlib import Path

from daemon.fs.mounts import mount_of


class MountGuard:
    """Remembers the device and the mount point of each folder. Threads may share it: each writes the same."""

    def __init__(self) -> None:
        self._devices: dict[bytes, int] = {}
        self._points: dict[bytes, bytes] = {}

    def check(self, folder: bytes, fd: int) -> None:
        """Checks that an open folder is on the filesystem on which it was before.

        Args:
            folder: Its absolute path.
            fd: Its descriptor.

        Raises:
            OSError: ESTALE while its filesystem is not mounted.
        """
        device = os.fstat(fd).st_dev
        known = self._devices.get(folder)
        if known == device:
            return
        if known is not None:
            self.check_missing(folder)  # else it was mounted again and has another number
        mount = mount_of(Path(os.fsdecode(folder)))
        self._points[folder] = mount.point if mount else b"/"
        self._devices[folder] = device

    def check_missing(self, folder: bytes) -> None:
        """Checks that a folder may be created. Raises as `check` does."""
        point = self._points.get(folder)
        if point is not None and not os.path.ismount(point):
            raise OSError(errno.ESTALE, "its filesystem is not mounted", os.fsdecode(folder))
