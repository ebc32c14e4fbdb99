import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.decoders.pool import DecoderPool, PoolStopped
from daemon.inbox.claimed_photo import Claimed
from daemon.photo import UNREAD_SHA256
from daemon.pipeline import decode, loaded_model
from daemon.pipeline.offline import classify
from models.bundle import Bundle
from models.engines.scripted import ScriptedEngine
from models.errors import EngineError
from models.images.decode import Fit
from tests.daemon.conftest import Foodsort, Photo, running, status, until
from tests.daemon.decoders.workers import slow_picture, worker_pids
from tests.daemon.rows import rows


@pytest.fixture
def claimed(photo: Photo, tmp_path: Path) -> Claimed:
    (tmp_path / "a.jpg").write_bytes(photo())
    fd = os.open(tmp_path / "a.jpg", os.O_RDONLY)
    return Claimed(b"a.jpg", b"1", fd, os.fstat(fd), 0.0)


@pytest.mark.parametrize("code", [0, errno.EINVAL, errno.EROFS, errno.EIO])
def test_a_photo_is_on_the_disk_before_it_is_decoded(
    claimed: Claimed, photo: Photo, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    steps: list[str] = []
    decode_photo = DecoderPool.decode

    def sync(fd: int) -> None:
        assert fd == claimed.fd
        steps.append("sync")
        if code:
            raise OSError(code, os.strerror(code))

    def decode_after_sync(decoders: DecoderPool, fd: int) -> object:
        steps.append("decode")
        return decode_photo(decoders, fd)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(DecoderPool, "decode", decode_after_sync)
    with DecoderPool(Fit(), 10**6, 60) as decoders:
        if code == errno.EIO:
            with pytest.raises(OSError, match="error"):
                decode.read(claimed, decoders)
            assert steps == ["sync"]
        else:
            decoded = decode.read(claimed, decoders)
            assert steps == ["sync", "decode"]
            assert decoded.picture
            assert decoded.sha256 == hashlib.sha256(photo()).hexdigest()
    claimed.close()


def test_workers_start_before_the_engine_opens_and_end_when_it_fails(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: set[int] = set()

    def broken(*_: object) -> None:
        pids.update(worker_pids(os.getpid()))
        raise EngineError("no such engine")

    monkeypatch.setattr(loaded_model, "open_engine", broken)
    monkeypatch.setenv("FOODSORT_IMAGES__DECODERS", "2")
    before = worker_pids(os.getpid())
    code, _, err = foodsort("run", "--root", root, "--once")
    assert (code, "no such engine" in err) == (1, True)
    assert len(pids - before) >= 2
    assert worker_pids(os.getpid()) == before


def test_classify_continues_after_a_photo_that_crashes_its_decoder(photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(slow_picture())
    (tmp_path / "b.jpg").write_bytes(photo())
    (tmp_path / "c.jpg").write_bytes(photo("non_food"))
    with DecoderPool(Fit(), 10**9, 1) as decoders:
        slow, food, other = classify([tmp_path], Bundle.load(), ScriptedEngine(), decoders)
    assert slow.get("error") == "decoder_timeout"
    assert (food.get("label"), other.get("label")) == ("food", "non_food")


def test_a_file_above_the_limit_is_not_read(claimed: Claimed, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(photo())
    with DecoderPool(Fit(), 10**6, 60, size=1) as decoders:
        assert decode.read(claimed, decoders, max_bytes=size).picture
        monkeypatch.setattr(os, "preadv", lambda *_: pytest.fail("it was read"))
        decoded = decode.read(claimed, decoders, max_bytes=size - 1)
    assert decoded.error is not None
    assert decoded.error.kind == "too_large"
    assert f"{size} bytes are more than the limit of {size - 1}" in str(decoded.error)
    assert decoded.sha256 == UNREAD_SHA256
    claimed.close()


def test_hashing_a_large_file_reports_progress_and_ends_at_a_stop(claimed: Claimed, tmp_path: Path) -> None:
    os.truncate(tmp_path / "a.jpg", 10 << 20)
    with DecoderPool(Fit(), 10**6, 60, size=1) as decoders:
        progress: list[None] = []
        decoded = decode.read(claimed, decoders, on_progress=lambda: progress.append(None))
        assert decoded.sha256 == hashlib.sha256((tmp_path / "a.jpg").read_bytes()).hexdigest()
        assert len(progress) == 10
        with pytest.raises(PoolStopped):
            decode.read(claimed, decoders, on_progress=decoders.stop)
    claimed.close()


@pytest.fixture
def huge_files(root: Path) -> list[str]:
    """The names of three sparse files of a terabyte in the inbox: as many as there are decoders at least."""
    names = [f"{number}.jpg" for number in range(3)]
    for name in names:
        (root / "inbox" / name).touch()
        os.truncate(root / "inbox" / name, 1 << 40)
    return names


@pytest.mark.slow
def test_huge_files_fail_and_all_others_are_sorted(root: Path, huge_files: list[str], photo: Photo) -> None:
    (root / "inbox/soup.jpg").write_bytes(photo())
    command = [sys.executable, "-m", "daemon", "run", "--once", "--root", str(root)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert {row["path"]: row["error_kind"] for row in rows(root)} == {
        "food/soup.jpg": None,
        **{f"failed/{name}": "too_large" for name in huge_files},
    }
    assert {row["sha256"] for row in rows(root) if row["error_kind"]} == {UNREAD_SHA256}
    sidecar = json.loads((root / "failed/0.jpg.error.json").read_text())
    assert "raise images.max_bytes" in sidecar["message"]


@pytest.mark.slow
def test_a_huge_file_is_not_copied_to_another_filesystem(
    root: Path, elsewhere: Path, huge_files: list[str], photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__FAILED", str(elsewhere / "failed"))
    (root / "inbox/soup.jpg").write_bytes(photo())
    command = [sys.executable, "-m", "daemon", "run", "--once", "--root", str(root)]
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, "3 had to stay in the inbox" in done.stdout) == (1, True)
    assert (root / "food/soup.jpg").exists()
    assert all((root / "inbox" / name).exists() for name in huge_files)
    assert list((elsewhere / "failed").iterdir()) == []


@pytest.mark.slow
def test_a_stop_does_not_wait_for_huge_files(
    root: Path, huge_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__MAX_BYTES", str(1 << 41))
    with running(root) as daemon:
        until(lambda: status(root)["queue"]["in_flight"] == len(huge_files), daemon)
    assert set(tree_names(root)) == {f"inbox/{name}" for name in huge_files}


def tree_names(root: Path) -> list[str]:
    """Paths of the pictures below a root."""
    return [str(path.relative_to(root)) for path in root.rglob("*.jpg")]
