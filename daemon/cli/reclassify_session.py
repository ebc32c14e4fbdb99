"""The steps of `foodsort reclassify`: open, judge at the lowest priority, apply in turns with other commands."""

import threading
import time
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from daemon import failpoints
from models.filenames import escape_name

if TYPE_CHECKING:
    import sqlalchemy as sa

    from daemon.actions.context import Actions
    from daemon.actions.result import ActionResult
    from daemon.monitoring.progress import WorkProgress
    from daemon.queries.judgements import Choice, SortedPhoto
    from daemon.queries.reclassification import Reclassifiable
    from daemon.settings import Settings
    from models.bundle import Bundle

_TURN_PHOTOS = 512  # in one turn of the action lock
_TURN_MOVES = 64  # those among them that move; a move takes many times as long as a row
_PAUSE_S = 0.1
"""Pause between two turns (s), so that a person's correction that waits for the lock gets it."""


@dataclass
class Outcome:
    """What a call has done.

    Attributes:
        judged: Chosen photos that the model has judged, now or in an earlier call.
        changed: Those among them whose label changes.
        moved: Photos that have moved.
        batch: Id of the batch; None if no row has changed.
        problems: Number of photos that could not be judged or moved.
    """

    judged: int = 0
    changed: int = 0
    moved: int = 0
    batch: int | None = None
    problems: int = 0

    def note(self, place: bytes, problem: str) -> None:
        """Prints and counts a photo that could not be judged or moved."""
        self.problems += 1
        typer.echo(f"foodsort: {escape_name(place)} {problem}", err=True)

    def add(self, result: "ActionResult") -> None:
        """Counts the result of a photo."""
        self.moved += bool(result.place) and result.place != result.photo.path
        if result.problem:
            self.note(result.photo.path, result.problem)


@dataclass(frozen=True)
class ReclassifySession:
    """What a call works on."""

    root: Path
    settings: "Settings"
    engine: "sa.Engine"
    actions: "Actions"
    bundle: "Bundle"
    choice: "Choice"
    bar: "WorkProgress"
    outcome: Outcome = field(default_factory=Outcome)


def open_session(
    root: Path, stack: ExitStack, *, since: datetime | None, model: str | None, everything: bool
) -> ReclassifySession:
    """Opens the database and the inbox, and loads the bundle; its judgements get the labels of today's settings."""
    import sqlalchemy as sa
    from rich.console import Console

    from daemon.actions.context import open_in_turns
    from daemon.database import addresses, connections, judgements, root_id
    from daemon.database.recorder import Recorder
    from daemon.database.schema import models
    from daemon.monitoring.progress import WorkProgress
    from daemon.pipeline import loaded_model
    from daemon.queries.judgements import Choice, models_named
    from daemon.settings import load

    settings = load(root)
    # This may take hours, and the daemon may replace a damaged file meanwhile.
    engine = connections.connect_to_write(addresses.database_url(root, settings.database.url), keep_open=False)
    stack.callback(engine.dispose)
    root_id.check(root, engine)
    if engine.dialect.name == "sqlite":
        # As each use opens the file, each would be the last one, which moves SQLite's log into the file, with its syncs.
        other = stack.enter_context(engine.connect())
        other.execute(sa.select(models.c.id).limit(1)).all()
        other.rollback()
    model_ids = None if model is None else models_named(engine, model)
    actions = stack.enter_context(open_in_turns(root, settings.folders, engine))
    bundle = loaded_model.load(root, settings)
    card = bundle.card
    recorder = Recorder(engine)
    recorder.use_model(bundle)
    judgements.relabel(engine, recorder.model_id, card.thresholds, unsure=bool(settings.folders.unsure))
    choice = Choice(
        recorder.model_id,
        smallest_look=min(bundle.used_sides),
        everything=everything,
        since=since,
        model_ids=model_ids,
    )
    bar = stack.enter_context(WorkProgress(Console(stderr=True)))
    return ReclassifySession(root, settings, engine, actions, bundle, choice, bar)


def recover(session: ReclassifySession) -> None:
    """Completes what a killed call has left on its way, so that those photos can be judged."""
    with _turn(session):
        pass


def judge_photos(session: ReclassifySession) -> str:
    """Judges the chosen photos that were not judged yet, at the lowest priority. Returns the name of the engine."""
    from daemon.decoders.pool import DecoderPool
    from daemon.destinations.folders import DestinationFolders
    from daemon.pipeline import loaded_model
    from daemon.pipeline.judge import Judge, SortedPhotoReader
    from daemon.pipeline.loaded_model import LoadedModel
    from daemon.pipeline.predictor import Predictor
    from daemon.pipeline.priority import read_last, run_apart
    from daemon.queries.judgements import count

    settings, bundle, outcome = session.settings, session.bundle, session.outcome
    unsure = bool(settings.folders.unsure)
    chosen, outcome.judged = count(session.engine, session.choice)
    session.bar.begin("judging", chosen)
    session.bar.advance(outcome.judged)
    if not chosen:
        return ""

    def on_judged(number: int) -> None:
        outcome.judged += number
        session.bar.advance(number)

    def on_problem(photo: "SortedPhoto", problem: str) -> None:
        outcome.note(photo.path, problem)
        session.bar.advance()

    def judge(stopped: threading.Event) -> str:
        model = LoadedModel(bundle, loaded_model.warm(session.root, settings, bundle))
        images = settings.images
        destinations = DestinationFolders(session.root, settings.folders, session.actions.claims)
        with (
            DecoderPool(bundle.card.fit, images.max_pixels, images.timeout_s, images.decoders) as decoders,
            Predictor(
                model, SortedPhotoReader(destinations, decoders), decoders.size, unsure=unsure, on_thread=read_last
            ) as predictor,
        ):
            Judge(
                session.engine,
                session.choice,
                predictor,
                bundle.card,
                unsure=unsure,
                on_judged=on_judged,
                on_problem=on_problem,
                is_stopped=stopped.is_set,
            ).run()
        return model.engine.name

    return run_apart(judge)


def apply_judgements(session: ReclassifySession, engine_name: str) -> None:
    """Applies what was judged, in turns with other commands."""
    from daemon.actions.reclassify import ReclassifyBatch
    from daemon.queries.reclassification import count_reclassifiable, reclassifiable

    engine, choice, outcome = session.engine, session.choice, session.outcome
    batch = ReclassifyBatch(engine, choice.model_id, engine_name)
    session.bar.begin("moving", count_reclassifiable(engine, choice))
    after = 0
    while True:
        with _turn(session):
            if not after:
                batch.resume()
            rows = _one_turn(reclassifiable(engine, choice, after, _TURN_PHOTOS))
            for result in session.actions.reclassify.apply(rows, batch):
                outcome.add(result)
                session.bar.advance()
            if not rows:
                failpoints.failpoint("reclassified")
                outcome.batch = batch.complete()
                return
        after = rows[-1].photo.id
        time.sleep(_PAUSE_S)


def _one_turn(rows: "list[Reclassifiable]") -> "list[Reclassifiable]":
    """The first photos, up to the last one that may still move in this turn."""
    moving = [number for number, row in enumerate(rows) if row.changes_label]
    return rows[: moving[_TURN_MOVES]] if len(moving) > _TURN_MOVES else rows


def _turn(session: ReclassifySession) -> AbstractContextManager[object]:
    """Holds the action lock, after recovery."""
    from daemon.cli.action_session import print_wait

    return session.actions.exclusive(on_wait=print_wait, on_recovered=lambda _, result: session.outcome.add(result))
