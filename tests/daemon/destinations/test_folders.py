import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.destinations.folders import DestinationFolders, SourceMissing
from daemon.destinations.move import Move
from daemon.fs import dirfd
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import FileStamp, ReadyFile
from daemon.photo import Failure
from daemon.settings import FolderSettings

DATA = b"a photo's bytes" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    (tmp_path / "inbox").mkdir()
    claims = Claims(tmp_path / "inbox")
    yield claims
    claims.close()


def claim(claims: Claims, root: Path, name: bytes = b"trip/a.jpg") -> None:
    """Puts a photo into the inbox and claims it."""
    path = root / "inbox" / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(DATA)
    os.utime(path, ns=(1, 10**18 + 7))
    path.chmod(0o640)
    claims.claim(ReadyFile(name, FileStamp.of(path.stat()), 0, overdue=False)).close()


def move(claims: Claims, target: bytes, failure: Failure | None = None) -> Move:
    return Move(
        photo_id=1,
        run_id=claims.run_id,
        source=b"trip/a.jpg",
        target=target,
        destination=None if failure else "food",
        identity="0:0",
        sha256=SHA256,
        failure=failure,
        attempts=1,
        first_failed_at=None,
        model="m",
    )


def test_a_photo_moves_by_rename(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = destinations.choose("food", b"trip/a.jpg", SHA256, set())
    destinations.carry_out(move(claims, target))
    assert target == b"food/trip/a.jpg"
    assert (tmp_path / "food/trip/a.jpg").read_bytes() == DATA
    assert list(claims.leftovers()) == []


def test_a_photo_moves_to_another_filesystem_whole(tmp_path: Path, claims: Claims, elsewhere: Path) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(food=str(elsewhere / "food")), claims)
    target = destinations.choose("food", b"trip/a.jpg", SHA256, set())
    destinations.carry_out(move(claims, target))
    moved = elsewhere / "food/trip/a.jpg"
    assert target == os.fsencode(moved)
    assert moved.read_bytes() == DATA
    assert (moved.stat().st_mtime_ns, moved.stat().st_mode & 0o777) == (10**18 + 7, 0o640)
    assert [path.name for path in moved.parent.iterdir()] == ["a.jpg"]
    assert list(claims.leftovers()) == []


def test_a_copy_that_differs_is_never_kept(tmp_path: Path, claims: Claims, elsewhere: Path) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(food=str(elsewhere / "food")), claims)
    target = destinations.choose("food", b"trip/a.jpg", SHA256, set())
    stat = (tmp_path / "inbox" / os.fsdecode(claims.claim_folder(claims.run_id, b"trip/a.jpg")) / "a.jpg").stat()
    identity = f"{stat.st_dev}:{stat.st_ino}"
    wrong = replace(move(claims, target), identity=identity, sha256="0" * 64)
    with pytest.raises(OSError, match="the copy differs"):
        destinations.carry_out(wrong)
    assert list((elsewhere / "food/trip").iterdir()) == []
    assert list(claims.leftovers()) == [(claims.run_id, b"trip/a.jpg")]


def test_a_place_that_was_taken_meanwhile_is_never_overwritten(tmp_path: Path, claims: Claims, elsewhere: Path) -> None:
    claim(claims, tmp_path)
    for folder in (str(tmp_path / "food"), str(elsewhere / "food")):
        destinations = DestinationFolders(tmp_path, FolderSettings(food=folder), claims)
        target = destinations.choose("food", b"trip/a.jpg", SHA256, set())
        Path(folder, "trip").mkdir(parents=True)
        Path(folder, "trip/a.jpg").write_bytes(b"somebody else's")
        with pytest.raises(FileExistsError):
            destinations.carry_out(move(claims, target))
        assert [path.read_bytes() for path in Path(folder, "trip").iterdir()] == [b"somebody else's"]
        assert destinations.choose("food", b"trip/a.jpg", SHA256, set()).endswith(b"trip/a (2).jpg")


def test_a_sidecar_is_removed_when_its_photo_cannot_move(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = destinations.choose(None, b"trip/a.jpg", SHA256, set())
    (tmp_path / "failed/trip").mkdir(parents=True)
    (tmp_path / "failed/trip/a.jpg").write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError):
        destinations.carry_out(move(claims, target, Failure("corrupt", "why")))
    assert [path.name for path in (tmp_path / "failed/trip").iterdir()] == ["a.jpg"]


def test_a_sidecar_never_overwrites_a_file_that_came_meanwhile(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = destinations.choose(None, b"trip/a.jpg", SHA256, set())
    (tmp_path / "failed/trip").mkdir(parents=True)
    foreign = tmp_path / "failed/trip/a.jpg.error.json"
    foreign.write_bytes(b"somebody's photo, oddly named")
    with pytest.raises(FileExistsError):
        destinations.carry_out(move(claims, target, Failure("corrupt", "why")))
    assert foreign.read_bytes() == b"somebody's photo, oddly named"
    assert destinations.choose(None, b"trip/a.jpg", SHA256, set()) == b"failed/trip/a (2).jpg"


def test_a_sidecar_of_an_interrupted_attempt_is_written_again(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = destinations.choose(None, b"trip/a.jpg", SHA256, set())
    (tmp_path / "failed/trip").mkdir(parents=True)
    (tmp_path / "failed/trip/a.jpg.error.json").write_text(f'{{"sha256": "{SHA256}", "kind": "cut sho')
    destinations.carry_out(move(claims, target, Failure("corrupt", "why")))
    assert json.loads((tmp_path / "failed/trip/a.jpg.error.json").read_text())["kind"] == "corrupt"
    assert (tmp_path / "failed/trip/a.jpg").read_bytes() == DATA


def test_places_of_sidecars_are_promised_like_photos(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    taken: set[bytes] = set()
    assert destinations.choose(None, b"a.jpg.error.json", SHA256, taken) == b"failed/a.jpg.error.json"
    assert destinations.choose(None, b"a.jpg", SHA256, taken) == b"failed/a (2).jpg"
    assert b"failed/a (2).jpg.error.json" in taken


def test_places_promised_to_others_are_not_given_again(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    taken = {b"food/a.jpg", b"food/a (2).jpg"}
    assert destinations.choose("food", b"a.jpg", SHA256, taken) == b"food/a (3).jpg"


def test_a_photo_somebody_took_is_noticed(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    with pytest.raises(SourceMissing):
        destinations.carry_out(move(claims, b"food/trip/a.jpg"))


@pytest.mark.parametrize("stranger", ["file", "folder", "link"])
def test_what_took_a_claimed_photos_place_is_not_moved_for_it(tmp_path: Path, claims: Claims, stranger: str) -> None:
    claim(claims, tmp_path)
    path = tmp_path / "inbox" / os.fsdecode(claims.claim_folder(claims.run_id, b"trip/a.jpg")) / "a.jpg"
    path.unlink()
    if stranger == "file":
        path.write_bytes(b"another photo")
    elif stranger == "folder":
        path.mkdir()
    else:
        path.symlink_to(__file__)
    with pytest.raises(SourceMissing):
        DestinationFolders(tmp_path, FolderSettings(), claims).carry_out(move(claims, b"food/trip/a.jpg"))
    assert os.path.lexists(path)
    assert list((tmp_path / "food/trip").iterdir()) == []


def test_a_sidecar_is_removed_when_its_photo_is_missing(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    with pytest.raises(SourceMissing):
        destinations.carry_out(move(claims, b"failed/trip/a.jpg", Failure("corrupt", "why")))
    assert list((tmp_path / "failed/trip").iterdir()) == []


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


def test_a_move_to_another_filesystem_goes_on_where_it_failed(
    tmp_path: Path, claims: Claims, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(food=str(elsewhere)), claims)
    target = destinations.choose("food", b"trip/a.jpg", SHA256, set())
    unlink = os.unlink

    def refusing(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "unlink", refusing)
    with pytest.raises(OSError, match="Read-only"):
        destinations.carry_out(move(claims, target))
    monkeypatch.setattr(os, "unlink", unlink)
    destinations.carry_out(move(claims, target))
    assert [path.name for path in (elsewhere / "trip").iterdir()] == ["a.jpg"]
    assert list(claims.leftovers()) == []


def test_renaming_never_replaces_with_or_without_the_kernels_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = dirfd.open_root(os.fsencode(tmp_path))
    for _ in ("renameat2", "link and unlink"):
        (tmp_path / "old").write_bytes(b"old")
        (tmp_path / "new").write_bytes(b"new")
        with pytest.raises(FileExistsError):
            dirfd.rename(at, b"old", at, b"new")
        assert ((tmp_path / "old").read_bytes(), (tmp_path / "new").read_bytes()) == (b"old", b"new")
        (tmp_path / "new").unlink()
        dirfd.rename(at, b"old", at, b"new")
        assert [path.name for path in tmp_path.iterdir()] == ["new"]

        class Refusing:
            """A filesystem without RENAME_NOREPLACE."""

            def renameat2(self, *_: object) -> int:
                import ctypes

                ctypes.set_errno(errno.EINVAL)
                return -1

        monkeypatch.setattr(dirfd, "_libc", Refusing())
    os.close(at)


@pytest.mark.parametrize("path", [b"..", b"a/../b", b"a//b", b"."])
def test_no_path_leads_out_of_a_root(tmp_path: Path, path: bytes) -> None:
    at = dirfd.open_root(os.fsencode(tmp_path))
    with pytest.raises(OSError, match="not a plain relative path"), dirfd.open_folder(at, path, create=True):
        pass
    os.close(at)
