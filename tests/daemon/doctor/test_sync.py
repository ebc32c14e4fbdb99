from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.doctor.findings import examine
from tests.daemon.rows import event_messages


def test_a_synced_inbox_that_moves_photos_is_a_warning(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    assert examine(root, foodsort, "--quick")[1]["sync"][0] == "ok"
    (root / "inbox/.stfolder").mkdir()
    level, message = examine(root, foodsort, "--quick")[1]["sync"]
    assert level == "warning"
    assert "Syncthing" in message
    assert "deleted on these devices" in message
    assert 'take = "copy"' in message
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert event_messages(root, "sync") == [message]


def test_a_synced_inbox_that_copies_needs_foodsorts_folder_excluded(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "inbox/.stfolder").mkdir()
    (root / "foodsort.toml").write_text('[watch]\ntake = "copy"\n')
    level, message = examine(root, foodsort, "--quick")[1]["sync"]
    assert (level, ".foodsort" in message) == ("warning", True)
    assert foodsort("init", "--from-sync", root)[0] == 0
    assert examine(root, foodsort, "--quick")[1]["sync"][0] == "ok"
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert event_messages(root, "sync") == []
