from pathlib import Path

import numpy as np
import pytest

from models.errors import FoodsortError
from training.fitting.checkpoint import Work


def test_an_array_is_made_once_and_mapped_ever_after(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(part: Path) -> None:
        made.append(part)
        np.save(part, np.arange(5))

    for _ in range(2):
        array = Work(tmp_path / "out", {"seed": 1}).array("five.npy", make)
        assert array.tolist() == [0, 1, 2, 3, 4]
        assert isinstance(array, np.memmap)
    assert len(made) == 1


def test_a_file_that_was_not_finished_does_not_count(tmp_path: Path) -> None:
    def killed(part: Path) -> None:
        part.write_text("half")
        raise KeyboardInterrupt

    work = Work(tmp_path / "out", {})
    with pytest.raises(KeyboardInterrupt):
        work.write("notes.txt", killed)
    assert work.path("notes.txt") is None
    assert work.write("notes.txt", lambda part: part.write_text("whole")).read_text() == "whole"
    assert work.path("notes.txt") == tmp_path / "out.unfinished/notes.txt"


def test_an_unfinished_training_of_something_else_is_neither_used_nor_removed(tmp_path: Path) -> None:
    Work(tmp_path / "out", {"seed": 1}).write("kept.txt", lambda part: part.write_text("hours"))
    with pytest.raises(FoodsortError, match=r"out\.unfinished holds an unfinished training of other photos"):
        Work(tmp_path / "out", {"seed": 2})
    assert (tmp_path / "out.unfinished/kept.txt").read_text() == "hours"


def test_when_it_is_done_nothing_is_left(tmp_path: Path) -> None:
    Work(tmp_path / "out", {}).done()
    assert list(tmp_path.iterdir()) == []
