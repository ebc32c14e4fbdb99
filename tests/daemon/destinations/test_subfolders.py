"""Folders into which a photo cannot move: that photo gets another place or waits, and the others are sorted."""

import ctypes
import errno
import os
from pathlib import Path

import pytest

from daemon.destinations import subfolders
from daemon.destinations.subfolders import usable_path
from daemon.failpoints import VARIABLE
from daemon.fs import dirfd, names
from daemon.fs import rename as rename_module
from tests.daemon.conftest import Foodsort, Photo, mounted, running, status, tree, until
from tests.daemon.photos import drop, run_once
from tests.daemon.processes import kill_run_at
from tests.daemon.rows import event_messages, rows, states


def usable(root: Path, *parts: bytes) -> tuple[bytes, ...]:
    fd = dirfd.open_root(os.fsencode(root))
    try:
        return usable_path(fd, parts)
    finally:
        os.close(fd)


def test_a_missing_folder_and_an_existing_one_are_usable(tmp_path: Path) -> None:
    (tmp_path / "trip").mkdir()
    assert usable(tmp_path) == ()
    assert usable(tmp_path, b"trip", b"day") == (b"trip", b"day")


def test_a_file_or_a_link_in_the_way_makes_a_numbered_folder(tmp_path: Path) -> None:
    (tmp_path / "trip").write_bytes(b"")
    (tmp_path / "trip (2)").symlink_to("/tmp")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_bytes(b"")
    assert usable(tmp_path, b"trip", b"day") == (b"trip (3)", b"day")
    assert usable(tmp_path, b"a", b"b", b"c") == (b"a", b"b (2)", b"c")


def test_a_folder_without_rights_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rights are those of a user; tests may run as root, who has all of them."""
    for name in ("trip", "day"):
        (tmp_path / name).mkdir()
    (tmp_path / "trip").chmod(0o555)
    monkeypatch.setattr(subfolders, "_is_writable", lambda fd: bool(os.fstat(fd).st_mode & 0o200))
    assert usable(tmp_path, b"trip") == (b"trip (2)",)
    assert usable(tmp_path, b"day") == (b"day",)
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        usable(tmp_path, b"trip")
    tmp_path.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["file first", "folder first", "together"])
def test_a_photo_named_like_a_folder(root: Path, photo: Photo, foodsort: Foodsort, order: str) -> None:
    if order == "file first":
        drop(root, "trip", photo())
        run_once(root, foodsort)
        drop(root, "trip/soup.jpg", photo(shade=1))
    else:
        drop(root, "trip/soup.jpg", photo(shade=1))
        if order == "folder first":
            run_once(root, foodsort)
            (root / "inbox/trip").rmdir()
            drop(root, "trip", photo())
        else:
            drop(root, "cup", photo(shade=2))
            (root / "food").mkdir()
            (root / "food/trip").write_bytes(b"a foreign file")
    run_once(root, foodsort)
    expected = {
        "file first": {"food/trip": photo(), "food/trip (2)/soup.jpg": photo(shade=1)},
        "folder first": {"food/trip/soup.jpg": photo(shade=1), "food/trip (2)": photo()},
        "together": {
            "food/trip": b"a foreign file",
            "food/trip (2)/soup.jpg": photo(shade=1),
            "food/cup": photo(shade=2),
        },
    }
    assert tree(root) == expected[order]


@pytest.mark.slow
def test_a_folder_that_cannot_be_used_stops_no_other_photo(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "food").write_bytes(b"a foreign file")
    drop(root, "soup.jpg", photo())
    drop(root, "sea.jpg", photo("non_food"))
    code, out, err = foodsort("run", "--root", root, "--once")
    assert (code, "soup.jpg" in err) == (1, True)
    assert out.splitlines()[-1].startswith("1 photo sorted: 0 food, 1 non_food")
    assert set(tree(root)) == {"food", "inbox/soup.jpg", "non_food/sea.jpg"}
    assert any("cannot move to the folder for food" in message for message in event_messages(root, "refused"))
    (root / "food").unlink()
    run_once(root, foodsort)
    assert states(root) == {"food/soup.jpg": "filed", "non_food/sea.jpg": "filed"}


@pytest.mark.slow
def test_a_photo_that_was_recorded_goes_back_to_the_inbox(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    drop(root, "soup.jpg", photo())
    kill_run_at(root, "recorded")
    (root / "food").rmdir()
    (root / "food").write_bytes(b"a foreign file")
    foodsort("run", "--root", root, "--once")
    assert set(tree(root)) == {"food", "inbox/soup.jpg"}
    assert states(root) == {"inbox/soup.jpg": "retry"}
    (root / "food").unlink()
    run_once(root, foodsort)
    assert states(root) == {"food/soup.jpg": "filed"}


@pytest.mark.slow
def test_a_name_that_the_filesystem_refuses_is_replaced(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Windows:
        """A filesystem without colons in names."""

        def renameat2(self, source: int, old: bytes, target: int, new: bytes, flags: int) -> int:
            if b":" in new and "/food" in os.readlink(f"/proc/self/fd/{target}"):
                ctypes.set_errno(errno.EINVAL)
                return -1
            return int(libc.renameat2(source, old, target, new, flags))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    libc = rename_module._libc
    monkeypatch.setattr(rename_module, "_libc", Windows())
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(rename_module, "_rename_over_placeholder", refuse)
    drop(root, "10:30 soup?.jpg", photo())
    drop(root, "b.jpg", photo(shade=1))
    run_once(root, foodsort)
    assert set(tree(root)) == {"food/10_30 soup_.jpg", "food/b.jpg"}
    assert {row["path"]: row["inbox_path"] for row in rows(root)}["food/10_30 soup_.jpg"] == "10:30 soup?.jpg"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"soup.jpg", b"soup.jpg"),
        (b"a\nb\x1f.jpg", b"a_b_.jpg"),
        (b"caf\xe9.jpg", b"caf_.jpg"),
        (b"trip. ", b"trip"),
        (b"...", b"_"),
        ("ß".encode() * 100 + b".jpg", "ß".encode() * 69 + b".jpg"),
    ],
)
def test_portable_names(name: bytes, expected: bytes) -> None:
    assert names.portable(name) == expected
    assert len(names.portable(name)) <= names.MAX_ENCRYPTED_NAME_BYTES


@pytest.mark.system
def test_a_destination_that_is_unmounted_is_waited_for(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    with mounted(root / "food") as food, running(root) as daemon:
        drop(root, "a.jpg", photo())
        until((food / "a.jpg").exists, daemon)
        os.system(f"umount -l {food}")
        drop(root, "b.jpg", photo(shade=1))
        until(lambda: "not mounted" in str(status(root)["waiting_for"]), daemon)
        assert list(food.iterdir()) == []
        os.system(f"mount -t tmpfs tmpfs {food}")
        until((food / "b.jpg").exists, daemon)


@pytest.mark.system
@pytest.mark.parametrize("point", ["", "copied", "named", "claimed"])
def test_photos_on_a_filesystem_mounted_inside_the_inbox_are_copied(
    root: Path, photo: Photo, foodsort: Foodsort, point: str
) -> None:
    with mounted(root / "inbox/card") as card:
        (card / "a.jpg").write_bytes(photo())
        (card / "b.jpg").write_bytes(photo(shade=1))
        if point:
            kill_run_at(root, point)
        run_once(root, foodsort)
        assert {name for name in tree(root) if not name.endswith(".toml")} == {"food/card/a.jpg", "food/card/b.jpg"}
        assert len(rows(root)) == 2
        assert VARIABLE not in os.environ
