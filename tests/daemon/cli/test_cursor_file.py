import _thread
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.cursor_file import CursorFile
from daemon.queries.positions import Position
from models.errors import FoodsortError

POSITION = Position("root 2026-11-24T12:00:00.000000Z", 12, 7, ((3, 4), (9, 9)))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limits the size of files, which fails like a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_new_file_begins_before_the_first_change_and_then_keeps_positions(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    with closing(CursorFile(path)) as cursor:
        assert cursor.position == Position()
        cursor.save(POSITION)
    with closing(CursorFile(path)) as cursor:
        assert cursor.position == POSITION
    assert os.listdir(tmp_path) == ["cursor"]


def test_positions_in_quick_succession_are_not_due(tmp_path: Path) -> None:
    with closing(CursorFile(tmp_path / "cursor")) as cursor:
        cursor.save(None)
        cursor.save(POSITION)
        assert not cursor.is_due
        end = time.monotonic() + 60
        while not cursor.is_due:
            assert time.monotonic() < end


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "{}",
        "not JSON",
        '{"format": 2, "database": "r", "change": 1, "photo": 1, "missing": []}',
        '{"format": 1, "database": "r", "change": "x", "photo": 1, "missing": []}',
        '{"format": 1, "database": "r", "change": 1, "photo": 1, "missing": [[1]]}',
    ],
)
def test_another_or_damaged_file_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "cursor").write_text(text)
    with pytest.raises(FoodsortError, match=r"cursor is no cursor of foodsort, or it is damaged; name another file"):
        CursorFile(tmp_path / "cursor")
    assert (tmp_path / "cursor").read_text() == text


def test_two_processes_cannot_use_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    with closing(CursorFile(path)) as cursor:
        for _ in range(2):
            with pytest.raises(FoodsortError, match="another process uses the cursor"):
                CursorFile(path)
            cursor.save(POSITION)
    CursorFile(path).close()


def test_a_replaced_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    with closing(CursorFile(path)) as cursor:
        path.unlink()
        path.write_text("another")
        with pytest.raises(FoodsortError, match="another process uses the cursor"):
            cursor.save(POSITION)
    assert path.read_text() == "another"


def test_an_interrupt_waits_until_the_file_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cursor"
    steps: list[str] = []
    # Not by the kernel: in a process that has used AMX, whose registers a signal saves, its frame is larger than the stack
    # that faulthandler sets aside for signals, and the kernel ends the process.
    monkeypatch.setattr(signal, "raise_signal", _thread.interrupt_main)

    def interrupted(step: str, call: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            call(*arguments)
            steps.append(step)
            signal.raise_signal(signal.SIGINT)  # in this thread, and at once

        return run

    with closing(CursorFile(path)) as cursor:
        for name in ("fsync", "rename", "close"):
            with monkeypatch.context() as patched:
                patched.setattr(os, name, interrupted(name, getattr(os, name)))
                with pytest.raises(KeyboardInterrupt):
                    cursor.save(POSITION._replace(change=len(steps)))
            cursor.save(POSITION)
    assert steps == ["fsync", "rename", "close"]
    with closing(CursorFile(path)) as cursor:
        assert cursor.position == POSITION
    assert os.listdir(tmp_path) == ["cursor"]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FoodsortError, match=r"none/cursor cannot be used: No such file"):
        CursorFile(tmp_path / "none/cursor")


def test_a_full_disk_keeps_the_position_before(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    with closing(CursorFile(path)) as cursor:
        cursor.save(POSITION)
        with largest_file(10), pytest.raises(FoodsortError, match="cannot be used: File too large"):
            cursor.save(POSITION._replace(change=13))
    with closing(CursorFile(path)) as cursor:
        assert cursor.position == POSITION
