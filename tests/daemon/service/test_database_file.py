"""The database's file is removed, renamed or replaced while the daemon runs, and belongs to one root."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, status, until
from tests.daemon.photos import sort_photo
from tests.daemon.rows import event_messages, rows

pytestmark = pytest.mark.slow


def paths(root: Path) -> set[str]:
    return {row["path"] for row in rows(root) if row["state"] == "filed"}


def copied(path: Path) -> Path:
    """A backup, made as the documentation says."""
    copy = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_removed_or_renamed_database_is_written_back(root: Path, photo: Photo, how: str) -> None:
    path = root / "foodsort.db"
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "a.jpg", daemon)
        until(lambda: paths(root) == {"food/a.jpg"}, daemon)
        if how == "removed":
            path.unlink()
        else:
            path.rename(root / "renamed.db")
        until(path.exists, daemon)  # though no photo comes
        sort_photo(root, photo(shade=2), "b.jpg", daemon)
        until(lambda: paths(root) == {"food/a.jpg", "food/b.jpg"}, daemon)
        until(lambda: len(event_messages(root, "database_restored")) == 1, daemon)
        until(lambda: "written back" in str(status(root)["last_errors"]), daemon)
    assert not list(root.glob("foodsort.db?*"))


def test_a_replaced_database_is_opened_again(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    with running(root) as daemon:
        sort_photo(root, photo(shade=1), "a.jpg", daemon)
        until(lambda: paths(root) == {"food/a.jpg"}, daemon)
        backup = copied(root / "foodsort.db")
        sort_photo(root, photo(shade=2), "b.jpg", daemon)
        until(lambda: paths(root) == {"food/a.jpg", "food/b.jpg"}, daemon)
        os.replace(backup, root / "foodsort.db")
        sort_photo(root, photo(shade=3), "c.jpg", daemon)
        until(lambda: paths(root) == {"food/a.jpg", "food/c.jpg"}, daemon)
        until(lambda: len(event_messages(root, "database_replaced")) == 1, daemon)
    code, out, _ = foodsort("doctor", "--root", root, "--quick")
    assert (code, "was replaced while foodsort was running" in out, "`foodsort repair`" in out) == (0, True, True)


def test_doctor_names_a_database_that_is_gone(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    (root / "foodsort.db").unlink()
    code, out, _ = foodsort("doctor", "--root", root, "--quick")
    assert (code, "foodsort.db is gone" in out, "`foodsort repair`" in out) == (1, True, True)
    (root / "inbox/b.jpg").write_bytes(photo(shade=1))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    (message,) = event_messages(root, "database_new")
    assert "`foodsort repair`" in message
    assert message in foodsort("doctor", "--root", root, "--quick")[1]


@pytest.mark.usefixtures("each_database")
def test_a_second_root_on_the_same_database_is_refused(
    root: Path, photo: Photo, foodsort: Foodsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "FOODSORT_DATABASE__URL" not in os.environ:
        monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{tmp_path}/photos.db")
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    second = tmp_path / "second"
    (second / "inbox").mkdir(parents=True)
    (second / "inbox/a.jpg").write_bytes(photo())
    for words in (("run", "--once"), ("run", "--dry-run"), ("undo", "--last"), ("undo", "--last", "--dry-run")):
        code, _, err = foodsort(*words, "--root", second)
        assert (code, f"belongs to another root, {root}" in err) == (1, True)
    assert (second / "inbox/a.jpg").exists()
    assert "belongs to another root" in foodsort("doctor", "--root", second, "--quick")[1]
    assert len(rows(root)) == 1
    shutil.copytree(root, tmp_path / "backup")
    shutil.rmtree(root)
    (tmp_path / "backup").rename(tmp_path / "moved")
    (tmp_path / "moved/inbox/b.jpg").write_bytes(photo(shade=1))
    assert foodsort("run", "--root", tmp_path / "moved", "--once")[0] == 0
    assert len(rows(tmp_path / "moved")) == 2
