import ctypes
import errno
import os
from pathlib import Path

import pytest

from daemon.fs import dirfd


def test_a_rename_never_replaces_with_or_without_renameat2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = dirfd.open_root(os.fsencode(tmp_path))
    for _ in ("renameat2", "link and unlink"):
        (tmp_path / "old").write_bytes(b"old")
        (tmp_path / "new").write_bytes(b"new")
        with pytest.raises(FileExistsError):
            dirfd.rename(root, b"old", root, b"new")
        assert ((tmp_path / "old").read_bytes(), (tmp_path / "new").read_bytes()) == (b"old", b"new")
        (tmp_path / "new").unlink()
        dirfd.rename(root, b"old", root, b"new")
        assert [path.name for path in tmp_path.iterdir()] == ["new"]

        class NoReplaceUnsupported:
            """A filesystem without RENAME_NOREPLACE."""

            def renameat2(self, *_: object) -> int:
                ctypes.set_errno(errno.EINVAL)
                return -1

        monkeypatch.setattr(dirfd, "_libc", NoReplaceUnsupported())
    os.close(root)


@pytest.mark.parametrize("path", [b"..", b"a/../b", b"a//b", b"."])
def test_no_path_leads_out_of_a_root(tmp_path: Path, path: bytes) -> None:
    root = dirfd.open_root(os.fsencode(tmp_path))
    with pytest.raises(OSError, match="not a plain relative path"), dirfd.open_folder(root, path, create=True):
        pass
    os.close(root)
