import os
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest

from daemon.database import addresses, connections
from daemon.database.companions import CompanionRecorder
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.decoders.pool import DecoderPool
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.mover import PhotoMover
from daemon.inbox.claimed_photo import Claimed, Returned
from daemon.inbox.claims import Claims
from daemon.monitoring.metrics import Metrics
from daemon.pipeline import decode
from daemon.pipeline.companion_filer import CompanionCallbacks, CompanionFiler
from daemon.pipeline.filing import Filer
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.pipeline import Pipeline, PipelineCallbacks
from daemon.retry import Retrier
from daemon.settings import load
from models.bundle import Bundle
from models.engines.base import Engine, Logits
from models.engines.scripted import ScriptedEngine
from models.images.decode import Pixels
from tests.daemon.conftest import Photo, until
from tests.daemon.pipeline.conftest import claim


@pytest.fixture
def returned() -> list[Returned]:
    return []


class Paired(ScriptedEngine):
    """Two streams, neither of which ends its batch of one before the other has begun."""

    streams = 2
    largest = 1

    def __init__(self) -> None:
        self._both = Barrier(2, timeout=60)

    def logits(self, pixels: Pixels) -> Logits:
        self._both.wait()
        return super().logits(pixels)


@pytest.fixture
def engine() -> Engine:
    return ScriptedEngine()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def pipeline(
    root: Path, claims: Claims, returned: list[Returned], engine: Engine, metrics: Metrics
) -> Iterator[Pipeline]:
    """A running pipeline."""
    settings = load(root)
    bundle = Bundle.load()
    connection = connections.connect(addresses.database_url(root, ""))
    recorder = Recorder(connection)
    recorder.use_model(bundle)
    lookup = Lookup(connection)
    callbacks = PipelineCallbacks(
        look_up=lambda keys: lookup.prior_records(keys, recorder.model_id),
        give_back=returned.append,
        wake=lambda: None,
    )
    destinations = DestinationFolders(root, settings.folders, claims)
    with DecoderPool(bundle.card.fit, settings.images.max_pixels, settings.images.timeout_s) as decoders:
        pipeline = Pipeline(
            settings=settings,
            model=LoadedModel(bundle, engine),
            decoders=decoders,
            filer=Filer(
                destinations=destinations,
                mover=PhotoMover(destinations, claims),
                recorder=recorder,
                lookup=lookup,
                retrier=Retrier(Event()),
            ),
            companion_filer=CompanionFiler(
                destinations=destinations,
                mover=PhotoMover(destinations, claims),
                recorder=CompanionRecorder(connection),
                retrier=Retrier(Event()),
                max_bytes=settings.images.max_bytes,
                callbacks=CompanionCallbacks(
                    give_back=returned.append, wake=lambda: None, part=lambda: None, fail=lambda error: None
                ),
            ),
            callbacks=callbacks,
            metrics=metrics,
        )
        pipeline.start()
        yield pipeline
        pipeline.stop()
    recorder.close()


def test_a_photo_written_to_while_it_was_read_goes_back(
    root: Path,
    claims: Claims,
    pipeline: Pipeline,
    metrics: Metrics,
    returned: list[Returned],
    photo: Photo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = decode.read

    def slowly(claimed: Claimed, decoders: DecoderPool, *args: Any) -> decode.Decoded:
        decoded = read(claimed, decoders, *args)
        with Path(f"/proc/self/fd/{claimed.fd}").open("ab") as writer:
            writer.write(b"more")
        return decoded

    monkeypatch.setattr(decode, "read", slowly)
    claimed = claim(claims, root, photo())
    pipeline.put([claimed])
    until(lambda: pipeline.in_flight == 0)
    assert returned == [Returned(claimed)]
    assert metrics.counts.total() == 0
    assert claimed.fd == -1


def test_the_pipeline_is_full_when_batches_need_no_more_photos(
    root: Path, claims: Claims, pipeline: Pipeline, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Event()

    def waiting(*_: object) -> decode.Decoded:
        gate.wait(20)
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(decode, "read", waiting)
    most = 4 * load(root).batch.max_size
    for number in range(most):
        assert not pipeline.full
        pipeline.put([claim(claims, root, photo(), name=f"{number}.jpg")])
    assert pipeline.full
    gate.set()
    until(lambda: not pipeline.full)


def test_a_bug_is_a_failure_and_loses_nothing(
    root: Path, claims: Claims, pipeline: Pipeline, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(Filer, "file", broken)
    pipeline.put([claim(claims, root, photo())])
    until(lambda: pipeline.failure is not None)
    assert list(claims.leftovers()) == [(claims.run_id, b"a.jpg")]


@pytest.mark.parametrize("engine", [Paired()])
def test_an_engine_of_two_streams_is_given_two_batches_at_a_time(
    pipeline: Pipeline, metrics: Metrics, claims: Claims, root: Path, photo: Photo
) -> None:
    for number in range(4):
        pipeline.put([claim(claims, root, photo(shade=number), name=f"{number}.jpg")])
    until(lambda: metrics.counts.total() == 4)
    assert pipeline.failure is None
