from pathlib import Path

import numpy as np
import pytest

from models.errors import FoodsortError
from training.fitting.checkpoint import Checkpoint


def test_an_array_is_made_once_and_then_mapped(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(part: Path) -> None:
        calls.append(part)
        np.save(part, np.arange(5))

    for _ in range(2):
        array = Checkpoint(tmp_path / "out", {"seed": 1}).load_or_make_array("five.npy", make)
        assert array.tolist() == [0, 1, 2, 3, 4]
        assert isinstance(array, np.memmap)
    assert len(calls) == 1


def test_an_incomplete_file_does_not_exist(tmp_path: Path) -> None:
    def killed(part: Path) -> None:
        part.write_text("half")
        raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "out", {})
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write("notes.txt", killed)
    assert checkpoint.path("notes.txt") is None
    assert checkpoint.write("notes.txt", lambda part: part.write_text("whole")).read_text() == "whole"
    assert checkpoint.path("notes.txt") == tmp_path / "out.unfinished/notes.txt"


def test_a_checkpoint_of_another_training_is_neither_used_nor_deleted(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "out", {"seed": 1}).write("kept.txt", lambda part: part.write_text("hours"))
    with pytest.raises(FoodsortError, match=r"out\.unfinished holds an unfinished training of other photos"):
        Checkpoint(tmp_path / "out", {"seed": 2})
    assert (tmp_path / "out.unfinished/kept.txt").read_text() == "hours"


def test_a_deleted_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "out", {}).delete()
    assert list(tmp_path.iterdir()) == []
