import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.fs import dirfd, filesystem
from daemon.fs import rename as module
from daemon.fs.entry import Entry
from daemon.fs.rename import is_placeholder, rename

LINK, UNLINK, REPLACE = os.link, os.unlink, os.rename


class NoReplaceUnsupported:
    """A filesystem without RENAME_NOREPLACE, such as NFS."""

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1


class Unreliable:
    """A filesystem that renames and reports an error."""

    def renameat2(self, source: int, old: bytes, target: int, new: bytes, _: int) -> int:
        REPLACE(old, new, src_dir_fd=source, dst_dir_fd=target)
        ctypes.set_errno(errno.ENOENT)
        return -1


def failing(code: int, call: Callable[..., Any] = lambda *_, **__: None) -> Callable[..., None]:
    """A system call that is carried out by `call`, or not at all, and reports an error."""

    def fail(*arguments: Any, **options: Any) -> None:
        call(*arguments, **options)
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = dirfd.open_root(os.fsencode(tmp_path))
    yield fd
    os.close(fd)


@pytest.fixture(params=["rename", "link", "placeholder"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the filesystem supports."""
    if request.param != "rename":
        monkeypatch.setattr(module, "_libc", NoReplaceUnsupported())
    if request.param == "placeholder":
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    return str(request.param)


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_file_gets_its_new_name(tmp_path: Path, folder: int, way: str) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"new": b"photo"}


def test_a_file_is_never_overwritten(tmp_path: Path, folder: int, way: str) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    (tmp_path / "new").write_bytes(b"another")
    with pytest.raises(FileExistsError):
        rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"old": b"photo", "new": b"another"}


def test_a_missing_file_is_reported(tmp_path: Path, folder: int, way: str) -> None:
    with pytest.raises(FileNotFoundError):
        rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {}


def test_a_removed_folder_of_the_target_is_no_missing_file(tmp_path: Path, folder: int, way: str) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    (tmp_path / "gone").mkdir()
    target = dirfd.open_root(os.fsencode(tmp_path / "gone"))
    (tmp_path / "gone").rmdir()
    with pytest.raises(OSError, match="the folder was removed") as raised:
        rename(Entry(folder, b"old"), Entry(target, b"new"))
    os.close(target)
    assert raised.value.errno == errno.ESTALE
    assert files(tmp_path) == {"old": b"photo"}


def test_an_error_of_a_rename_that_was_carried_out_is_success(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    monkeypatch.setattr(module, "_libc", Unreliable())
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"new": b"photo"}


@pytest.mark.parametrize("way", ["link"], indirect=True)
@pytest.mark.parametrize(("call", "code"), [("link", errno.EEXIST), ("link", errno.EIO), ("unlink", errno.ENOENT)])
def test_an_error_of_a_link_that_was_carried_out_is_success(
    tmp_path: Path, folder: int, way: str, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    monkeypatch.setattr(os, call, failing(code, LINK if call == "link" else UNLINK))
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    monkeypatch.undo()
    assert files(tmp_path) == {"new": b"photo"}


@pytest.mark.parametrize("way", ["placeholder"], indirect=True)
def test_an_error_over_a_placeholder_that_was_carried_out_is_success(
    tmp_path: Path, folder: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    monkeypatch.setattr(os, "rename", failing(errno.EIO, REPLACE))
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"new": b"photo"}


@pytest.mark.parametrize("way", ["link"], indirect=True)
@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES])
def test_the_last_name_of_a_file_is_never_removed(
    tmp_path: Path, folder: int, way: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    names = []

    def unlink(name: bytes, **options: Any) -> None:
        names.append(name)
        if name == b"old":
            raise OSError(code, os.strerror(code))
        UNLINK(name, **options)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(OSError, match=os.strerror(code)):
        rename(Entry(folder, b"old"), Entry(folder, b"new"))
    # A refusal is an answer; after any other error the file may be unlinked later.
    assert files(tmp_path) == {"old": b"photo"} | ({"new": b"photo"} if code == errno.EIO else {})
    monkeypatch.setattr(os, "unlink", UNLINK)
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"new": b"photo"}


@pytest.mark.parametrize("way", ["link"], indirect=True)
def test_a_rename_that_was_interrupted_between_link_and_unlink_is_completed(
    tmp_path: Path, folder: int, way: str
) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    os.link(tmp_path / "old", tmp_path / "new")
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"new": b"photo"}


@pytest.mark.parametrize("network", [True, False])
def test_linux_itself_refuses_the_name_of_an_interrupted_rename(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    monkeypatch.setattr(filesystem, "is_network", lambda fd: network)
    (tmp_path / "old").write_bytes(b"photo")
    os.link(tmp_path / "old", tmp_path / "new")
    if network:  # without RENAME_NOREPLACE, and Linux says EEXIST all the same
        rename(Entry(folder, b"old"), Entry(folder, b"new"))
        assert files(tmp_path) == {"new": b"photo"}
    else:  # two photos of one file
        with pytest.raises(FileExistsError):
            rename(Entry(folder, b"old"), Entry(folder, b"new"))
        assert files(tmp_path) == {"old": b"photo", "new": b"photo"}


@pytest.mark.parametrize("way", ["placeholder"], indirect=True)
def test_a_rename_that_was_interrupted_at_its_placeholder_is_completed(
    tmp_path: Path, folder: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    monkeypatch.setattr(os, "rename", failing(errno.EIO))
    monkeypatch.setattr(os, "unlink", failing(errno.EIO))  # so that the placeholder stays, as after a kill
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        rename(Entry(folder, b"old"), Entry(folder, b"new"))
    monkeypatch.setattr(os, "rename", REPLACE)
    assert is_placeholder(Entry(folder, b"new"))
    assert not is_placeholder(Entry(folder, b"old"))
    rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert files(tmp_path) == {"new": b"photo"}


@pytest.mark.parametrize("way", ["placeholder"], indirect=True)
def test_the_placeholder_of_another_file_is_not_replaced(tmp_path: Path, folder: int, way: str) -> None:
    (tmp_path / "old").write_bytes(b"photo")
    (tmp_path / "new").write_bytes(module._PLACEHOLDER + b"0" * 64 + b"\n")
    with pytest.raises(FileExistsError):
        rename(Entry(folder, b"old"), Entry(folder, b"new"))
    assert (tmp_path / "old").exists()
