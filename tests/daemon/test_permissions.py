"""What the daemon may not read stays where it is, and is named once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo


def test_a_file_that_may_not_be_read_stays_and_the_exit_code_says_so(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    theirs = root / "inbox/trip/theirs.jpg"
    theirs.parent.mkdir()
    theirs.write_bytes(photo(shade=1))
    (root / "inbox/ours.jpg").write_bytes(photo(shade=2))
    command = [sys.executable, "-m", "daemon", "run", "--root", str(root), "--once"]
    if os.geteuid() == 0:  # root may read everything, unless it gives that up
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("as root this needs setpriv (util-linux)")
        os.chown(theirs, 12345, 12345)
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
        theirs.chmod(0o600)
    else:
        theirs.chmod(0)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "1 photo sorted: 1 food, 0 non_food, 0 failed; 1 had to stay in the inbox"
    assert done.stderr.count("theirs.jpg") == 1
    assert "cannot be read: Permission denied" in done.stderr
    assert theirs.exists()
    assert (root / "food/ours.jpg").exists()
    _, out, _ = foodsort("results", "--root", root, "--format", "csv")
    assert "theirs" not in out
