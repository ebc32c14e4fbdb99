from pathlib import Path

from daemon.destinations.folders import DestinationFolders
from daemon.destinations.target import TargetChooser
from daemon.inbox.claims import Claims
from daemon.settings import FolderSettings

SHA256 = "5" * 64


def test_places_of_sidecars_are_reserved_like_those_of_photos(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    reserved: set[bytes] = set()
    assert TargetChooser(destinations).choose(None, b"a.jpg.error.json", SHA256, reserved) == b"failed/a.jpg.error.json"
    assert TargetChooser(destinations).choose(None, b"a.jpg", SHA256, reserved) == b"failed/a (2).jpg"
    assert b"failed/a (2).jpg.error.json" in reserved


def test_reserved_places_are_not_used_again(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    reserved = {b"food/a.jpg", b"food/a (2).jpg"}
    assert TargetChooser(destinations).choose("food", b"a.jpg", SHA256, reserved) == b"food/a (3).jpg"


def test_a_second_copy_of_a_failed_photo_with_the_longest_name_has_a_place(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    reserved: set[bytes] = set()
    name = b"x" * 251 + b".jpg"
    assert TargetChooser(destinations).choose(None, name, SHA256, reserved) == b"failed/" + name
    assert TargetChooser(destinations).choose(None, name, SHA256, reserved) == b"failed/" + b"x" * 236 + b" (2).jpg"
    assert b"failed/" + b"x" * 236 + b" (2).jpg.error.json" in reserved


def test_a_sub_folder_with_something_in_the_way_is_reported_once(tmp_path: Path, claims: Claims) -> None:
    blocked = []
    targets = TargetChooser(
        DestinationFolders(tmp_path, FolderSettings(), claims), lambda *folders: blocked.append(folders)
    )
    (tmp_path / "food").mkdir()
    (tmp_path / "food/trip").write_text("a file")
    reserved: set[bytes] = set()
    for name in (b"trip/a.jpg", b"trip/b.jpg", b"c.jpg"):
        targets.choose("food", name, SHA256, reserved)
    assert reserved == {b"food/trip (2)/a.jpg", b"food/trip (2)/b.jpg", b"food/c.jpg"}
    food = bytes(tmp_path / "food")
    assert blocked == [(food + b"/trip", food + b"/trip (2)")]
