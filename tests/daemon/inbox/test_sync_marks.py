from pathlib import Path

import pytest

from daemon.inbox import sync_marks

FILES = (".sync_0123abcd.db", "._sync_0123abcd.db", ".owncloudsync.log", ".nextcloudsync.log", ".dropbox", ".sync/ID")
FOLDERS = (".stfolder", ".stversions", ".dropbox.cache", ".tmp.drivedownload", ".tmp.driveupload")


def mark(folder: Path, name: str) -> None:
    path = folder / name
    if name in FOLDERS:
        path.mkdir(parents=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
@pytest.mark.parametrize("place", ["root/inbox", "root", ".", "root/inbox/phone"])
def test_a_mark_is_found_in_the_inbox_above_it_and_in_its_subfolders(tmp_path: Path, name: str, place: str) -> None:
    (tmp_path / "root/inbox/phone").mkdir(parents=True)
    assert sync_marks.find(tmp_path / "root/inbox") is None
    mark(tmp_path / place, name)
    found = sync_marks.find(tmp_path / "root/inbox")
    assert found is not None
    assert found.path == tmp_path / place / name.removesuffix("/ID")


@pytest.mark.parametrize("settings", [".dropbox/instance_db", ".sync/sync.conf", ".stfolders", "visible.db"])
def test_the_settings_of_a_tool_are_no_mark(tmp_path: Path, settings: str) -> None:
    path = tmp_path / settings
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert sync_marks.find(tmp_path) is None


@pytest.mark.parametrize(
    ("ignored", "lacks"),
    [(None, True), ("*.tmp\n", True), (".foodsort\n", False), ("(?d)/.foodsort/\n", False), ("// .foodsort\n", True)],
)
def test_the_lines_of_stignore(tmp_path: Path, ignored: str | None, lacks: bool) -> None:
    if ignored is not None:
        (tmp_path / ".stignore").write_text(ignored)
    assert sync_marks.lacks_ignore(tmp_path, ".foodsort") is lacks
