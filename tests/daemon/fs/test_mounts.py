import os
import subprocess
from pathlib import Path

import pytest

from daemon.fs.mounts import Mount, find_mount, mount_of, parse_mountinfo

MOUNTINFO = rb"""22 28 0:21 / /proc rw,nosuid - proc proc rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
61 28 0:52 / /srv/photos rw,relatime shared:30 - nfs4 server:/photos rw,vers=4.2
70 61 0:60 / /srv/photos/my\040inbox rw - fuse.sshfs me@there:/ rw
80 28 0:61 / /mnt rw - tmpfs tmpfs rw
81 80 0:62 / /mnt rw master:1 - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "shared"),
    [
        (b"/", "ext4", False),
        (b"/srv/photosession", "ext4", False),
        (b"/srv/photos", "nfs4", True),
        (b"/srv/photos/trip", "nfs4", True),
        (b"/srv/photos/my inbox/a", "fuse.sshfs", True),
        (b"/mnt/a", "cifs", True),  # mounted over the first one
    ],
)
def test_the_deepest_and_latest_mount_counts(path: bytes, kind: str, *, shared: bool) -> None:
    mount = find_mount(path, parse_mountinfo(MOUNTINFO))
    assert mount is not None
    assert (mount.type, mount.shared) == (kind, shared)


@pytest.mark.system
def test_a_real_mount_is_found(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    inbox = tmp_path / "in box"
    inbox.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inbox], check=True)
    try:
        assert mount_of(inbox) == Mount(os.fsencode(inbox), "tmpfs")
    finally:
        subprocess.run(["umount", inbox], check=True)
