import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.decoders.pool import DecoderPool
from daemon.inbox.claimed_photo import Claimed, Returned
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.monitoring.metrics import Metrics
from daemon.pipeline import decode
from daemon.pipeline.attempts import PAUSES_S
from daemon.pipeline.decode import Decoded
from daemon.pipeline.readers import Readers
from daemon.settings import load
from models.bundle import Bundle
from models.errors import ImageError, ImageErrorKind
from tests.daemon.conftest import Photo, until
from tests.daemon.pipeline.conftest import claim


@pytest.fixture
def results() -> list[Decoded | Returned]:
    return []


@pytest.fixture
def readers(root: Path, results: list[Decoded | Returned]) -> Iterator[Readers]:
    settings = load(root)
    errors: list[BaseException] = []
    with DecoderPool(Bundle.load().card.fit, settings.images.max_pixels, settings.images.timeout_s) as decoders:
        readers = Readers(
            decoders,
            Metrics().stages,
            settings,
            may_file_unread=lambda: True,
            on_result=results.append,
            on_error=errors.append,
        )
        readers.start()
        yield readers
        readers.stop()
    assert errors == []


def crash(*_: object) -> None:
    raise ImageError(ImageErrorKind.DECODER_CRASHED, "SIGSEGV")


@pytest.mark.parametrize("call", [(decode, "read"), (Claimed, "was_modified")], ids=lambda call: call[1])
def test_a_disk_error_is_no_failure_of_the_photo(
    root: Path,
    claims: Claims,
    readers: Readers,
    results: list[Decoded | Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
    call: tuple[object, str],
) -> None:
    def failing(*_: object) -> Decoded:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(*call, failing)
    claimed = claim(claims, root, photo())
    readers.put([claimed], time.monotonic())
    until(lambda: bool(results))
    assert results == [Returned(claimed, refusal="cannot be read: Input/output error")]
    assert readers.decoding == 0
    claimed.close()


def test_a_photo_whose_decoder_crashes_is_tried_three_times(
    root: Path,
    claims: Claims,
    readers: Readers,
    results: list[Decoded | Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DecoderPool, "decode", crash)
    claimed = claim(claims, root, photo(), time.monotonic() - 100)
    for attempt in (1, 2, 3):
        readers.put([claimed], time.monotonic())
        until(lambda attempt=attempt: len(results) == attempt)  # type: ignore[misc]
    claimed.close()
    *returned, last = results
    waits_s = [result.wait_s for result in returned if isinstance(result, Returned)]
    assert waits_s == pytest.approx([100 + pause for pause in PAUSES_S], abs=1)
    assert isinstance(last, Decoded)
    assert (last.error and last.error.kind, last.attempts) == ("decoder_crashed", 3)


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        (ImageErrorKind.UNSUPPORTED, False),
        (ImageErrorKind.TOO_LARGE, False),
        (ImageErrorKind.TRUNCATED, True),
        (ImageErrorKind.CORRUPT, True),
    ],
)
def test_only_a_file_that_may_be_unfinished_waits(
    root: Path,
    claims: Claims,
    readers: Readers,
    results: list[Decoded | Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
    kind: ImageErrorKind,
    waits: bool,
) -> None:
    def fail(*_: object) -> None:
        raise ImageError(kind, "so it is")

    monkeypatch.setattr(DecoderPool, "decode", fail)
    claimed = claim(claims, root, photo(), time.monotonic())
    readers.put([claimed], time.monotonic())
    until(lambda: bool(results))
    claimed.close()
    assert isinstance(results[0], Returned) == waits


def test_hard_links_are_tried_separately(
    root: Path,
    claims: Claims,
    readers: Readers,
    results: list[Decoded | Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DecoderPool, "decode", crash)
    (root / "kept.jpg").write_bytes(photo())
    for number in range(4):
        os.link(root / "kept.jpg", path := root / f"inbox/{number}.jpg")
        ready = ReadyFile(b"%d.jpg" % number, FileStamp.of(path.stat()), time.monotonic() - 100, overdue=False)
        readers.put([claims.claim(ready)], time.monotonic())
    until(lambda: len(results) == 4)
    waits_s = [result.wait_s for result in results if isinstance(result, Returned)]
    assert waits_s == pytest.approx([100 + PAUSES_S[0]] * 4, abs=1)
    for result in results:
        assert isinstance(result, Returned)
        result.claimed.close()
