"""The order of rows, moves and syncs, on which durability after a power cut depends."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections
from daemon.database.recorder import Recorder
from daemon.fs import cross_device
from daemon.fs.rename import rename
from tests.daemon.conftest import Foodsort, Photo


def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    engine = connections.connect(addresses.database_url(tmp_path, ""))
    with engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()


@pytest.mark.parametrize("label", ["food", "failed"])
def test_row_then_move_then_sync_then_final_state(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    steps: list[str] = []

    def name(fd: int) -> str:
        path = os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), root)
        return re.sub(r"\.foodsort-\w+\.part", "sidecar", path)

    def recorded(describe: Callable[..., str], function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            step = describe(*args)
            result = function(*args)
            steps.append(step)
            return result

        return call

    monkeypatch.setattr(os, "fsync", recorded(lambda fd: f"sync {name(fd)}", os.fsync))
    move = recorded(lambda _, target: f"move to {name(target.folder)}/{os.fsdecode(target.name)}", rename)
    monkeypatch.setattr(cross_device, "rename", move)
    for step in ("begin", "finish"):
        monkeypatch.setattr(Recorder, step, recorded(lambda *_, step=step: step, getattr(Recorder, step)))
    (root / "inbox/trip").mkdir()
    (root / "inbox/trip/a.jpg").write_bytes(photo() if label == "food" else b"no picture")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    sidecar = [f"sync {label}/trip/sidecar"] if label == "failed" else []
    parent = f"sync {label}"  # after the sub-folder was created in it
    assert steps[steps.index("begin") :] == [
        "begin",
        parent,
        *sidecar,
        f"move to {label}/trip/a.jpg",
        f"sync {label}/trip",
        "finish",
    ]
