import os
import shutil
import time
from pathlib import Path

from daemon.inbox.stamp import FileStamp


def test_the_ctime_of_a_file_with_hard_links_is_ignored(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"photo")
    alone = FileStamp.of(one.stat())
    os.link(one, other)
    before = FileStamp.of(one.stat())
    time.sleep(0.05)  # the kernel's clock for files moves on in steps of some milliseconds
    changed = one.stat().st_ctime_ns
    other.rename(tmp_path / "renamed.jpg")
    assert one.stat().st_ctime_ns > changed
    assert (before.linked, alone.linked) == (True, False)
    assert FileStamp.of(one.stat()) == before


def test_where_inodes_do_not_last_the_path_identifies_a_file(tmp_path: Path) -> None:
    path, renamed = tmp_path / "one.jpg", tmp_path / "renamed.jpg"
    path.write_bytes(b"photo")
    stamp = FileStamp.of(path.stat())
    shutil.copy2(path, renamed)
    os.replace(renamed, path)
    other = FileStamp.of(path.stat())
    assert other.identity != stamp.identity
    assert other.at_path(b"one.jpg").identity == stamp.at_path(b"one.jpg").identity
    assert other.at_path(b"one.jpg").identity != other.at_path(b"renamed.jpg").identity
