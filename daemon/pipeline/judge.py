"""Judges sorted photos again: reads each at its place, classifies it, and writes a row in `judgements`."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from daemon import failpoints
from daemon.database import judgements
from daemon.database.judgements import Judgement
from daemon.decoders.pool import DecoderPool
from daemon.destinations.folders import DestinationFolders
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.photo import Failure
from daemon.pipeline.classify import label_logits
from daemon.pipeline.predictor import Predictor, decode_open
from daemon.queries.judgements import Choice, SortedPhoto, current, known_logits, unjudged
from models.bundle import Card
from models.images.decode import Picture

_BATCH = 32  # photos; the engine's largest is the limit
_ROWS = 64  # written in one transaction

CHANGED = Failure("changed", "was changed or replaced after it was sorted; `foodsort repair` records that")
MISSING = Failure("missing", "is no longer there; `foodsort repair` looks for it")
_OF_THE_FILE = frozenset({"changed", "missing", "unreadable"})
"""Kinds of failures that say nothing of other files of the same bytes."""


@dataclass(frozen=True)
class SortedPhotoReader:
    """Decodes sorted photos at their places."""

    destinations: DestinationFolders
    decoders: DecoderPool

    def __call__(self, photo: SortedPhoto) -> Picture | Failure:
        """Decodes a photo; returns its picture, or why it has none. A file with other bytes than its row is not decoded."""
        try:
            with self.destinations.open_folder(photo.path) as (folder, name):
                fd = Entry(folder, name).open()
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            return _unreadable(error)
        with os.fdopen(fd, "rb") as file:
            try:
                if (
                    not dirfd.is_regular(os.fstat(fd))
                    or hashlib.file_digest(file, "sha256").hexdigest() != photo.sha256
                ):
                    return CHANGED
                file.seek(0)  # the decoder shares the position
            except OSError as error:
                return _unreadable(error)
            outcome = decode_open(fd, self.decoders)
        if isinstance(outcome, Failure) and outcome.kind == "unreadable":
            return Failure(outcome.kind, f"cannot be read: {outcome.message}")
        return outcome


class Judge:
    """Judges the photos of a choice that its model has not judged.

    Judgements are written as they come. So a call that was killed is continued by the next one.
    """

    def __init__(
        self,
        engine: sa.Engine,
        choice: Choice,
        predictor: Predictor[SortedPhoto],
        card: Card,
        *,
        unsure: bool,
        on_judged: Callable[[int], None],
        on_problem: Callable[[SortedPhoto, str], None],
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Reads nothing yet.

        Args:
            engine: The database.
            choice: The photos.
            predictor: Classifies them.
            card: Card of the model, for temperature and thresholds.
            unsure: Whether photos between the thresholds get the label `unsure`.
            on_judged: Called with a number of photos after their judgements were written.
            on_problem: Called with a photo that could not be judged, and why, to follow its name.
            is_stopped: Whether to begin no further photo.
        """
        self._engine = engine
        self._choice = choice
        self._predictor = predictor
        self._card = card
        self._unsure = unsure
        self._on_judged = on_judged
        self._on_problem = on_problem
        self._is_stopped = is_stopped
        self._copies: dict[str, list[SortedPhoto]] = {}
        """Photos that are being classified, with their exact copies, by their SHA-256."""
        self._ready: list[Judgement] = []
        """Judgements that were not written yet."""

    def run(self) -> None:
        """Judges the photos: the network runs once for photos of the same bytes.

        Raises:
            EngineError: The engine failed.
        """
        photos = self._unknown()
        again = [*self._judge(photos)]
        while again and not self._is_stopped():
            again = [*self._judge(self._distinct(again))]
        self._write()

    def _judge(self, photos: Iterator[SortedPhoto]) -> Iterator[SortedPhoto]:
        """Judges photos and their copies. Yields those to be tried again.

        These are the copies of photos whose file is missing, and photos that another command has moved meanwhile.
        """
        for photo, outcome in self._predictor.stream(photos, _BATCH):
            _, *others = copies = self._copies.pop(photo.sha256)
            if not isinstance(outcome, Failure):
                _, prediction = outcome
                self._add(Judgement(copy.id, copy.sha256, prediction) for copy in copies)
            elif outcome.kind in _OF_THE_FILE:
                now = current(self._engine, self._choice, photo.id)
                if now == photo:
                    self._on_problem(photo, outcome.message)
                elif now is not None:
                    yield now
                yield from others
            else:
                for copy in copies:
                    self._on_problem(copy, f"cannot be decoded: {outcome.message}")

    def _unknown(self) -> Iterator[SortedPhoto]:
        """The photos for which the network has to run, one of each content; judges the others by what is known."""
        for page in unjudged(self._engine, self._choice):
            known = known_logits(self._engine, self._choice, list({photo.sha256 for photo in page}))
            predictions = label_logits([*known.values()], self._card, unsure=self._unsure) if known else []
            by_digest = dict(zip(known, predictions, strict=True))
            self._add(
                Judgement(photo.id, photo.sha256, by_digest[photo.sha256]) for photo in page if photo.sha256 in known
            )
            yield from self._distinct([photo for photo in page if photo.sha256 not in known])

    def _distinct(self, photos: Sequence[SortedPhoto]) -> Iterator[SortedPhoto]:
        """One photo of each content; the others wait for its prediction."""
        for photo in photos:
            if self._is_stopped():
                return
            if photo.sha256 in self._copies:
                self._copies[photo.sha256].append(photo)
            else:
                self._copies[photo.sha256] = [photo]
                yield photo

    def _add(self, judged: Iterable[Judgement]) -> None:
        self._ready += judged
        if len(self._ready) >= _ROWS:
            self._write()

    def _write(self) -> None:
        judgements.write_checked(self._engine, self._choice.model_id, self._ready)
        self._on_judged(len(self._ready))
        self._ready = []
        failpoints.failpoint("judged")


def _unreadable(error: OSError) -> Failure:
    return Failure("unreadable", f"cannot be read: {error.strerror}")
