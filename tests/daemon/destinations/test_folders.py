import hashlib
from pathlib import Path

from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.settings import FolderSettings

DATA = b"a photo's bytes" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def test_places_of_sidecars_are_reserved_like_those_of_photos(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    reserved: set[bytes] = set()
    assert destinations.choose(None, b"a.jpg.error.json", SHA256, reserved) == b"failed/a.jpg.error.json"
    assert destinations.choose(None, b"a.jpg", SHA256, reserved) == b"failed/a (2).jpg"
    assert b"failed/a (2).jpg.error.json" in reserved


def test_reserved_places_are_not_used_again(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    reserved = {b"food/a.jpg", b"food/a (2).jpg"}
    assert destinations.choose("food", b"a.jpg", SHA256, reserved) == b"food/a (3).jpg"


def test_a_photo_is_recognised_by_inode_or_by_bytes(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    path = tmp_path / "food"
    path.mkdir()
    (path / "a.jpg").write_bytes(DATA)
    stat = (path / "a.jpg").stat()
    assert destinations.has_photo(b"food/a.jpg", f"{stat.st_dev}:{stat.st_ino}", "", claimed=True)
    assert destinations.has_photo(b"food/a.jpg", "0:0", SHA256, claimed=False)
    assert not destinations.has_photo(b"food/a.jpg", "0:0", "0" * 64, claimed=False)
    assert not destinations.has_photo(b"food/none.jpg", "0:0", SHA256, claimed=False)
    # While a photo is claimed on the same filesystem, its like at another place is another photo.
    assert not destinations.has_photo(b"food/a.jpg", "0:0", SHA256, claimed=True)


def test_a_second_copy_of_a_failed_photo_with_the_longest_name_has_a_place(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    reserved: set[bytes] = set()
    name = b"x" * 251 + b".jpg"
    assert destinations.choose(None, name, SHA256, reserved) == b"failed/" + name
    assert destinations.choose(None, name, SHA256, reserved) == b"failed/" + b"x" * 236 + b" (2).jpg"
    assert b"failed/" + b"x" * 236 + b" (2).jpg.error.json" in reserved
