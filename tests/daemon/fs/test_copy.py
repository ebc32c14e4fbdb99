import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.fs import copy as module
from daemon.fs import dirfd, part, rename
from daemon.fs.copy import copy
from daemon.fs.entry import Entry
from tests.daemon.fs.test_rename import NoReplaceUnsupported

SHA256 = hashlib.sha256(b"photo").hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Entry]:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    fd = dirfd.open_root(os.fsencode(tmp_path))
    yield Entry(fd, b"a.jpg")
    os.close(fd)


@pytest.fixture
def target(elsewhere: Path) -> Iterator[Entry]:
    fd = dirfd.open_root(os.fsencode(elsewhere))
    yield Entry(fd, b"a.jpg")
    os.close(fd)


def test_a_copy_has_the_metadata_of_the_original(tmp_path: Path, source: Entry, target: Entry) -> None:
    path = tmp_path / "a.jpg"
    path.chmod(0o640)
    os.utime(path, ns=(5, 10**18 + 7))
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    copied = copy(source, target, SHA256, lambda stat: None)
    stat, original = target.stat(), source.stat()
    assert (stat.st_mode, stat.st_mtime_ns, stat.st_uid, stat.st_gid) == (
        original.st_mode,
        original.st_mtime_ns,
        original.st_uid,
        original.st_gid,
    )
    assert os.path.samestat(copied, stat)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_copy_whose_hidden_name_cannot_be_removed_is_complete(
    source: Entry, target: Entry, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    calls = iter(range(failures))

    def unlink(name: bytes, *, dir_fd: int) -> None:
        if next(calls, None) is not None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os_unlink(name, dir_fd=dir_fd)

    os_unlink = os.unlink
    with monkeypatch.context() as patch:
        patch.setattr(rename, "_libc", NoReplaceUnsupported())
        patch.setattr(os, "unlink", unlink)
        copied = copy(source, target, SHA256, lambda stat: None)
    assert os.path.samestat(copied, target.stat())
    part.sweep(target.folder)
    assert [path.name for path in elsewhere.iterdir()] == ["a.jpg"]


def test_extended_attributes_come_along(tmp_path: Path, source: Entry) -> None:
    """Between two folders: a filesystem in memory may have none."""
    try:
        os.setxattr(tmp_path / "a.jpg", "user.rating", b"5")
    except OSError:
        pytest.skip("this filesystem has no extended attributes")
    (tmp_path / "to").mkdir()
    fd = dirfd.open_root(os.fsencode(tmp_path / "to"))
    copy(source, Entry(fd, b"a.jpg"), SHA256, lambda stat: None)
    os.close(fd)
    assert os.getxattr(tmp_path / "to/a.jpg", "user.rating") == b"5"


def test_a_copy_is_kept_where_the_filesystem_refuses_its_metadata(
    source: Entry, target: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = []

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(module, "_noted", set())
    monkeypatch.setattr(module.log, "warning", lambda *_, metadata, **__: noted.append(metadata))
    for call in ("fchmod", "fchown", "utime"):
        monkeypatch.setattr(os, call, refuse)
    copy(source, target, SHA256, lambda stat: None)
    copy(source, target._replace(name=b"b.jpg"), SHA256, lambda stat: None)
    assert target.sha256() == SHA256
    assert len(noted) == len(set(noted)) > 0


def test_the_unfinished_copy_of_another_process_is_not_touched(elsewhere: Path, source: Entry, target: Entry) -> None:
    with part.new_part(target.folder) as (other, fd):
        os.write(fd, b"of another root")
        copy(source, target, SHA256, lambda stat: None)
        part.sweep(target.folder)
        assert other.exists()
        other.remove()
    assert [path.name for path in elsewhere.iterdir()] == ["a.jpg"]


def test_an_abandoned_copy_is_swept(elsewhere: Path, target: Entry) -> None:
    abandoned = elsewhere / ".foodsort-0123456789abcdef.part"
    foreign = elsewhere / ".foodsort-mine.part"
    for path in (abandoned, foreign):
        path.write_bytes(b"half a ph")
    with abandoned.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        part.sweep(target.folder)
        assert abandoned.exists()
    part.sweep(target.folder)
    assert [path.name for path in elsewhere.iterdir()] == [foreign.name]


def test_a_copy_that_was_swept_by_mistake_is_made_again(
    source: Entry, target: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swept(stat: os.stat_result) -> None:
        for name in os.listdir(target.folder):
            os.unlink(name, dir_fd=target.folder)

    with pytest.raises(OSError, match="the unfinished copy was removed") as raised:
        copy(source, target, SHA256, swept)
    assert raised.value.errno == errno.ESTALE
    assert source.exists()


def test_a_copy_shares_its_blocks_where_the_filesystem_can(
    source: Entry, target: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real reflink needs Btrfs or XFS; `test_filesystems.py` has them."""
    cloned: list[int] = []

    def clone(write: int, request: int, read: int) -> None:
        cloned.append(request)
        os.pwrite(write, os.pread(read, 1 << 20, 0), 0)

    monkeypatch.setattr(fcntl, "ioctl", clone)
    copy(source, target, source.sha256(), lambda stat: None)
    assert cloned == [0x40049409]
    assert target.sha256() == source.sha256()
