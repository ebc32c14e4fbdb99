import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.destinations.folders import DestinationFolders
from daemon.destinations.move import Move
from daemon.destinations.mover import PhotoMover, SourceMissing
from daemon.destinations.target import TargetChooser
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.photo import Failure
from daemon.settings import FolderSettings

DATA = b"a photo's bytes" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


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
    target = TargetChooser(destinations).choose("food", b"trip/a.jpg", SHA256, set())
    PhotoMover(destinations, claims).carry_out(move(claims, target))
    assert target == b"food/trip/a.jpg"
    assert (tmp_path / "food/trip/a.jpg").read_bytes() == DATA
    assert list(claims.leftovers()) == []


def test_a_photo_moves_to_another_filesystem_whole(tmp_path: Path, claims: Claims, elsewhere: Path) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(food=str(elsewhere / "food")), claims)
    target = TargetChooser(destinations).choose("food", b"trip/a.jpg", SHA256, set())
    PhotoMover(destinations, claims).carry_out(move(claims, target))
    moved = elsewhere / "food/trip/a.jpg"
    assert target == os.fsencode(moved)
    assert moved.read_bytes() == DATA
    assert (moved.stat().st_mtime_ns, moved.stat().st_mode & 0o777) == (10**18 + 7, 0o640)
    assert [path.name for path in moved.parent.iterdir()] == ["a.jpg"]
    assert list(claims.leftovers()) == []


def test_a_copy_that_differs_is_never_kept(tmp_path: Path, claims: Claims, elsewhere: Path) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(food=str(elsewhere / "food")), claims)
    target = TargetChooser(destinations).choose("food", b"trip/a.jpg", SHA256, set())
    stat = (tmp_path / "inbox" / os.fsdecode(claims.claim_folder(claims.run_id, b"trip/a.jpg")) / "a.jpg").stat()
    identity = f"{stat.st_dev}:{stat.st_ino}"
    wrong = replace(move(claims, target), identity=identity, sha256="1" * 64)
    with pytest.raises(OSError, match="the copy differs") as caught:
        PhotoMover(destinations, claims).carry_out(wrong)
    assert caught.value.filename == f"{elsewhere}/food/trip/a.jpg"
    assert list((elsewhere / "food/trip").iterdir()) == []
    assert list(claims.leftovers()) == [(claims.run_id, b"trip/a.jpg")]


def test_a_target_that_was_taken_meanwhile_is_never_overwritten(
    tmp_path: Path, claims: Claims, elsewhere: Path
) -> None:
    claim(claims, tmp_path)
    for folder in (str(tmp_path / "food"), str(elsewhere / "food")):
        destinations = DestinationFolders(tmp_path, FolderSettings(food=folder), claims)
        target = TargetChooser(destinations).choose("food", b"trip/a.jpg", SHA256, set())
        Path(folder, "trip").mkdir(parents=True)
        Path(folder, "trip/a.jpg").write_bytes(b"a foreign file")
        with pytest.raises(FileExistsError):
            PhotoMover(destinations, claims).carry_out(move(claims, target))
        assert [path.read_bytes() for path in Path(folder, "trip").iterdir()] == [b"a foreign file"]
        assert TargetChooser(destinations).choose("food", b"trip/a.jpg", SHA256, set()).endswith(b"trip/a (2).jpg")


def test_a_sidecar_is_removed_when_its_photo_cannot_move(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = TargetChooser(destinations).choose(None, b"trip/a.jpg", SHA256, set())
    (tmp_path / "failed/trip").mkdir(parents=True)
    (tmp_path / "failed/trip/a.jpg").write_bytes(b"a foreign file")
    with pytest.raises(FileExistsError):
        PhotoMover(destinations, claims).carry_out(move(claims, target, Failure("corrupt", "why")))
    assert [path.name for path in (tmp_path / "failed/trip").iterdir()] == ["a.jpg"]


def test_a_sidecar_never_overwrites_a_new_file(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = TargetChooser(destinations).choose(None, b"trip/a.jpg", SHA256, set())
    (tmp_path / "failed/trip").mkdir(parents=True)
    foreign = tmp_path / "failed/trip/a.jpg.error.json"
    foreign.write_bytes(b"a photo with an odd name")
    with pytest.raises(FileExistsError):
        PhotoMover(destinations, claims).carry_out(move(claims, target, Failure("corrupt", "why")))
    assert foreign.read_bytes() == b"a photo with an odd name"
    assert TargetChooser(destinations).choose(None, b"trip/a.jpg", SHA256, set()) == b"failed/trip/a (2).jpg"


def test_a_sidecar_of_an_interrupted_attempt_is_written_again(tmp_path: Path, claims: Claims) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    target = TargetChooser(destinations).choose(None, b"trip/a.jpg", SHA256, set())
    (tmp_path / "failed/trip").mkdir(parents=True)
    (tmp_path / "failed/trip/a.jpg.error.json").write_text(f'{{"sha256": "{SHA256}", "kind": "cut sho')
    PhotoMover(destinations, claims).carry_out(move(claims, target, Failure("corrupt", "why")))
    assert json.loads((tmp_path / "failed/trip/a.jpg.error.json").read_text())["kind"] == "corrupt"
    assert (tmp_path / "failed/trip/a.jpg").read_bytes() == DATA


def test_a_missing_photo_is_noticed(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    with pytest.raises(SourceMissing):
        PhotoMover(destinations, claims).carry_out(move(claims, b"food/trip/a.jpg"))


@pytest.mark.parametrize("stranger", ["file", "folder", "link"])
def test_another_file_in_place_of_a_claimed_photo_is_not_moved(tmp_path: Path, claims: Claims, stranger: str) -> None:
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
        PhotoMover(DestinationFolders(tmp_path, FolderSettings(), claims), claims).carry_out(
            move(claims, b"food/trip/a.jpg")
        )
    assert os.path.lexists(path)
    assert list((tmp_path / "food/trip").iterdir()) == []


def test_a_sidecar_is_removed_when_its_photo_is_missing(tmp_path: Path, claims: Claims) -> None:
    destinations = DestinationFolders(tmp_path, FolderSettings(), claims)
    with pytest.raises(SourceMissing):
        PhotoMover(destinations, claims).carry_out(move(claims, b"failed/trip/a.jpg", Failure("corrupt", "why")))
    assert list((tmp_path / "failed/trip").iterdir()) == []


def test_a_move_to_another_filesystem_continues_where_it_failed(
    tmp_path: Path, claims: Claims, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(claims, tmp_path)
    destinations = DestinationFolders(tmp_path, FolderSettings(food=str(elsewhere)), claims)
    mover = PhotoMover(destinations, claims)
    target = TargetChooser(destinations).choose("food", b"trip/a.jpg", SHA256, set())
    unlink = os.unlink

    def refusing(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "unlink", refusing)
    with pytest.raises(OSError, match="Read-only"):
        mover.carry_out(move(claims, target))
    monkeypatch.setattr(os, "unlink", unlink)
    mover.carry_out(move(claims, target))
    assert [path.name for path in (elsewhere / "trip").iterdir()] == ["a.jpg"]
    assert list(claims.leftovers()) == []
