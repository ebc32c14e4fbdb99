import os
import socket
from pathlib import Path

import pytest

from training.data.layout import LeftOut, Reason
from training.data.listing import list_files


def test_files_at_any_depth_are_listed_in_order_and_the_others_are_named(tmp_path: Path) -> None:
    for name in ("b/c/2.jpg", "b/1.jpg", "a.jpg", ".hidden.jpg", ".folder/3.jpg", "__MACOSX/4.jpg", "b/Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "linked.jpg").symlink_to("a.jpg")
    (tmp_path / "again").symlink_to("b")
    (tmp_path / "b/up").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        files, left_out = list_files(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in files] == [*("a.jpg", "b/1.jpg", "b/c/2.jpg", "linked.jpg")]
    assert {LeftOut(str(Path(path).relative_to(tmp_path)), reason) for path, reason in left_out} == {
        *(LeftOut(name, Reason.HIDDEN) for name in (".hidden.jpg", ".folder", "__MACOSX", "b/Thumbs.db")),
        *(LeftOut(f"{name}.jpg", Reason.NOT_REGULAR) for name in ("fifo", "gone", "circle", "socket")),
        LeftOut("b/up", Reason.REPEATED),
        LeftOut("again", Reason.REPEATED),
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_a_folder_without_permissions_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert list_files(tmp_path) == ([], [LeftOut(str(tmp_path / "closed"), Reason.UNREADABLE)])
