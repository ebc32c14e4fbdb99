import hashlib
from pathlib import Path

from daemon.destinations.folders import DestinationFolders
from daemon.destinations.presence import has_photo
from daemon.inbox.claims import Claims
from daemon.settings import FolderSettings

DATA = b"a photo's bytes" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def test_a_photo_is_recognised_by_inode_or_by_bytes(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    path = tmp_path / "food"
    path.mkdir()
    (path / "a.jpg").write_bytes(DATA)
    stat = (path / "a.jpg").stat()
    assert has_photo(destinations, b"food/a.jpg", f"{stat.st_dev}:{stat.st_ino}", "", claimed=True)
    assert has_photo(destinations, b"food/a.jpg", "0:0", SHA256, claimed=False)
    assert not has_photo(destinations, b"food/a.jpg", "0:0", "0" * 64, claimed=False)
    assert not has_photo(destinations, b"food/none.jpg", "0:0", SHA256, claimed=False)
    # While a photo is claimed on the same filesystem, its like at another place is another photo.
    assert not has_photo(destinations, b"food/a.jpg", "0:0", SHA256, claimed=True)
