import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from daemon import database, decode
from daemon.claim import Claimed, Claims
from daemon.destinations import Destinations
from daemon.filing import Filing
from daemon.inbox import Look, Ready
from daemon.patience import Patience
from daemon.pipeline import Pipeline, Returned
from daemon.results import Results
from daemon.settings import load
from models.bundle import Bundle
from models.engines.scripted import ScriptedEngine
from tests.daemon.conftest import Photo, until


@pytest.fixture
def claims(root: Path) -> Iterator[Claims]:
    claims = Claims(root / "inbox")
    yield claims
    claims.close()


@pytest.fixture
def returned() -> list[Returned]:
    return []


@pytest.fixture
def pipeline(root: Path, claims: Claims, returned: list[Returned]) -> Iterator[Pipeline]:
    """A running pipeline with the scripted engine."""
    settings, bundle = load(root), Bundle.load()
    results = Results(database.connect(database.url(root, "")))
    results.use_model(bundle)
    filing = Filing(Destinations(root, settings.folders, claims), results, Patience(Event()))
    pipeline = Pipeline(settings, bundle.card, ScriptedEngine(), filing, returned.append, lambda: None)
    pipeline.start()
    yield pipeline
    pipeline.stop()
    results.close()


def take(claims: Claims, root: Path, data: bytes, still_since: float = 0) -> Claimed:
    path = root / "inbox/a.jpg"
    path.write_bytes(data)
    return claims.take(Ready(b"a.jpg", Look.of(path.stat()), still_since, overdue=False))


def test_a_photo_written_to_while_it_was_read_goes_back(
    root: Path,
    claims: Claims,
    pipeline: Pipeline,
    returned: list[Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = decode.read

    def slowly(claimed: Claimed, *words: object) -> decode.Decoded:
        decoded = read(claimed, *words)  # type: ignore[arg-type]
        with Path(f"/proc/self/fd/{claimed.fd}").open("ab") as writer:
            writer.write(b"more")
        return decoded

    monkeypatch.setattr(decode, "read", slowly)
    claimed = take(claims, root, photo())
    pipeline.put(claimed)
    until(lambda: pipeline.in_flight == 0)
    assert returned == [Returned(claimed)]
    assert pipeline.counts.total() == 0
    assert claimed.fd == -1


def test_a_disk_that_fails_is_not_the_photos_fault(
    root: Path,
    claims: Claims,
    pipeline: Pipeline,
    returned: list[Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: object) -> decode.Decoded:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(decode, "read", failing)
    claimed = take(claims, root, photo())
    pipeline.put(claimed)
    until(lambda: pipeline.in_flight == 0)
    assert returned == [Returned(claimed, refused="cannot be read: Input/output error")]


def test_a_mistake_of_ours_ends_the_service_and_loses_nothing(
    root: Path, claims: Claims, pipeline: Pipeline, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(Filing, "file", broken)
    pipeline.put(take(claims, root, photo()))
    until(lambda: pipeline.failure is not None)
    assert list(claims.leftovers()) == [(claims.generation, b"a.jpg")]
