"""The clock of the machine jumps while the daemon runs; no wait may depend on it."""

import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo, running, tree, until
from tests.daemon.rows import rows

SOURCE = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Shifts the real-time clock by the seconds in a file; all other clocks stay. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    FILE *file = clock == CLOCK_REALTIME ? fopen(getenv("CLOCK_OFFSET"), "r") : NULL;
    long offset = 0;
    if (file) {
        if (fscanf(file, "%ld", &offset) == 1) now->tv_sec += offset;
        fclose(file);
    }
    return result;
}
"""

pytestmark = pytest.mark.system  # needs a C compiler


@pytest.fixture
def offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the offset of the daemon's clock in seconds."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("this needs a C compiler, to shift the clock of the daemon")
    (tmp_path / "clock.c").write_text(SOURCE)
    library = tmp_path / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "clock.c"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("CLOCK_OFFSET", str(tmp_path / "offset"))
    return tmp_path / "offset"


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_jump_neither_shortens_nor_delays_waits(root: Path, photo: Photo, offset: Path, jump_s: int) -> None:
    offset.write_text("0")
    whole = photo(size=700, shade=9)
    with running(root) as daemon, (root / "inbox/slow.jpg").open("wb") as slow:
        slow.write(whole[:2000])
        slow.flush()
        (root / "inbox/before.jpg").write_bytes(photo(shade=1))
        until((root / "food/before.jpg").exists, daemon)
        offset.write_text(str(jump_s))
        (root / "inbox/after.jpg").write_bytes(photo(shade=2))
        until((root / "food/after.jpg").exists, daemon)
        time.sleep(1)  # longer than all waits but that for the close of an open file, which an hour would end
        assert (root / "inbox/slow.jpg").exists()
        slow.write(whole[2000:])
        slow.close()
        until((root / "food/slow.jpg").exists, daemon)
    assert tree(root) == {"food/before.jpg": photo(shade=1), "food/after.jpg": photo(shade=2), "food/slow.jpg": whole}
    at = {row["name"]: datetime.fromisoformat(row["classified_at"]) for row in rows(root)}
    assert abs((at["after.jpg"] - at["before.jpg"]).total_seconds() - jump_s) < 300  # the jump took place
