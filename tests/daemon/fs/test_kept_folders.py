import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.fs import dirfd
from daemon.fs.kept_folders import KeptFolders


class Kept:
    """Folders that are kept open, and how often one was opened."""

    def __init__(self, root: Path) -> None:
        self._root = dirfd.open_root(os.fsencode(root))
        self._folders = KeptFolders()
        self.opens = 0

    def open(self, path: bytes) -> int:
        def opened() -> AbstractContextManager[int]:
            self.opens += 1
            return dirfd.open_folder(self._root, path)

        return self._folders.get(path, opened, self._root).fd

    def close(self) -> None:
        self._folders.close()
        self._folders.close()
        os.close(self._root)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    (tmp_path / "trip").mkdir()
    kept = Kept(tmp_path)
    yield kept
    kept.close()


def test_a_folder_is_opened_once(kept: Kept) -> None:
    assert kept.open(b"trip") == kept.open(b"trip")
    assert kept.opens == 1


def test_a_folder_in_the_place_of_another_is_opened(tmp_path: Path, kept: Kept) -> None:
    kept.open(b"trip")
    (tmp_path / "trip").rename(tmp_path / "renamed")
    (tmp_path / "trip").mkdir()
    assert os.path.samestat(os.fstat(kept.open(b"trip")), (tmp_path / "trip").stat())


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path, kept: Kept) -> None:
    kept.open(b"trip")
    (tmp_path / "outside").mkdir()
    (tmp_path / "trip").rmdir()
    (tmp_path / "trip").symlink_to("outside")
    with pytest.raises(NotADirectoryError):
        kept.open(b"trip")


def test_a_folder_that_was_removed_is_not_found(tmp_path: Path, kept: Kept) -> None:
    kept.open(b"trip")
    (tmp_path / "trip").rmdir()
    with pytest.raises(FileNotFoundError):
        kept.open(b"trip")
