"""The number of processors that this process may use: its affinity, and the CPU quota of its container."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def usable_processors(root: Path = Path("/")) -> int:
    """Returns the number of processors of the affinity, or the CPU quota, rounded up, where that is less.

    Args:
        root: Folder that has proc/ and sys/.
    """
    return min([len(os.sched_getaffinity(0)), *(max(1, math.ceil(quota)) for quota in _quotas(root))])


def _quotas(root: Path) -> Iterator[float]:
    """Yields the CPU quotas (processors) of this process: those of its control groups and of all groups above them."""
    for group in _control_groups(root):
        with suppress(OSError, ValueError):  # not there, or without a limit, which version 2 calls "max"
            quota, period = (group / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with suppress(OSError, ValueError):
            quota_us = int((group / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:  # -1: no limit
                yield quota_us / int((group / "cpu.cfs_period_us").read_text())


def _control_groups(root: Path) -> Iterator[Path]:
    """Yields the folders in which the kernel may show the CPU quotas of this process; some do not exist."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        # Inside a container the path may be that on the host. Then only the top, the container's own group, exists.
        groups = [PurePosixPath(path.strip("/")), *PurePosixPath(path.strip("/")).parents]
        if not controllers:  # version 2
            yield from (mounts / group for group in groups)
        elif "cpu" in controllers.split(","):  # version 1, whose mount has the name of one controller or of all
            yield from (mounts / "cpu" / group for group in groups)
