"""Folders that have changed since the last look."""

import os
import time
from pathlib import Path

import pytest

from daemon.drags.tree import FolderTree


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "food/trip/day").mkdir(parents=True)
    (tmp_path / "food/.hidden").mkdir()
    (tmp_path / "food/link").symlink_to(tmp_path)
    return tmp_path / "food"


class Looks:
    """A tree whose clock is far ahead, so that it trusts the times of all folders."""

    def __init__(self, top: Path) -> None:
        self.new: list[bytes] = []
        self.gone: list[bytes] = []
        self._base = os.fsencode(top) + b"/"
        self.tree = FolderTree(
            [os.fsencode(top)],
            skip=lambda path: os.path.basename(path).startswith(b"."),
            on_new=self.new.append,
            on_gone=self.gone.append,
            wall_ns=lambda: time.time_ns() + 10**12,
        )

    def look(self, below: Path | None = None) -> set[str]:
        """The folders that have changed, relative to the top."""
        changed = self.tree.look(None if below is None else os.fsencode(below))
        return {os.fsdecode((folder + b"/").removeprefix(self._base)) for folder in changed if folder is not None}


def test_the_first_look_finds_all_folders_and_no_links(top: Path) -> None:
    looks = Looks(top)
    assert looks.look() == {"", "trip/", "trip/day/"}
    assert len(looks.new) == 3
    assert looks.look() == set()


def test_a_file_or_folder_that_comes_or_goes_changes_its_folder(top: Path) -> None:
    looks = Looks(top)
    looks.look()
    (top / "trip/a.jpg").touch()
    assert looks.look() == {"trip/"}
    (top / "trip/day").rmdir()
    (top / "new/deep").mkdir(parents=True)
    assert looks.look() == {"", "trip/", "trip/day/", "new/", "new/deep/"}
    assert looks.gone == [os.fsencode(top / "trip/day")]


def test_a_folder_that_was_changed_just_now_is_looked_at_again(top: Path) -> None:
    (top / "trip/day/a.jpg").touch()
    tree = FolderTree([os.fsencode(top)], lambda path: False, lambda path: None, lambda path: None)
    list(tree.look())
    assert os.fsencode(top / "trip/day") in list(tree.look())


def test_only_one_folder_and_those_below(top: Path) -> None:
    looks = Looks(top)
    assert looks.look(top / "trip/day") == {"trip/day/"}
    looks.tree.forget()
    assert looks.look(top / "trip") == {"trip/"}
    looks.tree.distrust(os.fsencode(top / "trip/day"))
    assert "trip/day/" in looks.look()
