import errno
import hashlib
import os
from pathlib import Path

import pytest

from daemon.decoders.pool import DecoderPool
from daemon.inbox.claimed_photo import Claimed
from daemon.pipeline import decode, loaded_model
from daemon.pipeline.offline import classify
from models.bundle import Bundle
from models.engines.scripted import ScriptedEngine
from models.errors import EngineError
from models.images.decode import Fit
from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.decoders.workers import slow_picture, worker_pids


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
