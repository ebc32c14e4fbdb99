"""Files without permissions stay in their place and are named once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo

pytestmark = pytest.mark.slow


def without_rights(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs a command without root's exemption from file modes."""
    command = [sys.executable, "-m", "daemon", *map(str, words)]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("as root this needs setpriv (util-linux)")
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_unreadable_file_stays_and_changes_the_exit_code(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    theirs = root / "inbox/trip/theirs.jpg"
    theirs.parent.mkdir()
    theirs.write_bytes(photo(shade=1))
    (root / "inbox/ours.jpg").write_bytes(photo(shade=2))
    theirs.chmod(0)
    done = without_rights("run", "--root", root, "--once")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "1 photo sorted: 1 food, 0 non_food, 0 failed; 1 had to stay in the inbox"
    assert done.stderr.count("theirs.jpg") == 1
    assert "cannot be read: Permission denied" in done.stderr
    assert theirs.exists()
    assert (root / "food/ours.jpg").exists()
    _, out, _ = foodsort("results", "--root", root, "--format", "csv")
    assert "theirs" not in out


@pytest.mark.parametrize(("file", "folder"), [(0o000, 0o700), (0o400, 0o500), (0o600, 0o500)])
def test_a_database_without_permissions_is_reported_with_a_remedy(
    root: Path, photo: Photo, foodsort: Foodsort, file: int, folder: int
) -> None:
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    (root / "foodsort.db").chmod(file)
    root.chmod(folder)
    try:
        done = without_rights("undo", "--root", root, "--last")
    finally:
        root.chmod(0o700)
    assert (done.returncode, "no permission to use" in done.stderr, "rights" in done.stderr) == (1, True, True), (
        done.stderr
    )


def test_a_file_without_permissions_is_named(root: Path) -> None:
    private = root / "inbox/.foodsort"
    private.mkdir(mode=0o500)
    done = without_rights("run", "--root", root, "--once")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"foodsort: Permission denied: {private}/lock")
    root.chmod(0o000)
    done = without_rights("init", root)
    root.chmod(0o700)
    assert (done.returncode, done.stderr) == (1, f"foodsort: Permission denied: {root}/inbox\n")
