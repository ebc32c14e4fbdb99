"""What is on the disk when: the order in which rows and moves are made to outlast a loss of power."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections
from daemon.database.recorder import Recorder
from daemon.fs import dirfd as walk
from tests.daemon.conftest import Foodsort, Photo


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    engine = connections.connect(addresses.url(tmp_path, ""))
    with engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()


@pytest.mark.parametrize("label", ["food", "failed"])
def test_row_then_move_then_folder_then_the_rows_end(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    done: list[str] = []

    def name(fd: int) -> str:
        return os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), root)

    def telling(what: Callable[..., str], call: Callable[..., Any]) -> Callable[..., Any]:
        def told(*words: Any) -> Any:
            said = what(*words)
            result = call(*words)
            done.append(said)
            return result

        return told

    monkeypatch.setattr(os, "fsync", telling(lambda fd: f"sync {name(fd)}", os.fsync))
    to = telling(lambda _source, _old, target, new: f"move to {name(target)}/{os.fsdecode(new)}", walk.rename)
    monkeypatch.setattr(walk, "rename", to)
    for step in ("begin", "finish"):
        monkeypatch.setattr(Recorder, step, telling(lambda *_, step=step: step, getattr(Recorder, step)))
    (root / "inbox/trip").mkdir()
    (root / "inbox/trip/a.jpg").write_bytes(photo() if label == "food" else b"no picture")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    reason = [f"sync {label}/trip/a.jpg.error.json"] if label == "failed" else []
    after = done[done.index("begin") :]
    made = f"sync {label}"  # the sub-folder was made there
    assert after == ["begin", made, *reason, f"move to {label}/trip/a.jpg", f"sync {label}/trip", "finish"]
