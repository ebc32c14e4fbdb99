"""Chooses the photos that a person is asked about next, and compares the answers with the models."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from daemon.database.schema import results
from daemon.queries import audit, teaching
from daemon.queries.audit import Accuracy
from daemon.queries.teaching import UncertainPhoto
from daemon.web.model_state import Models
from daemon.web.photo_features import MOST, PhotoFeatures
from daemon.web.question_set import AUDIT, DISAGREEMENTS, SIZE, Question, compose, one_per_burst
from models.selection import most_informative

_UNCERTAIN = 400
"""How many of the most uncertain photos are read, bursts included."""
_PATIENCE_S = 1.0
"""How long a set waits for features of its photos (s); those that come later serve the next set."""


class Answer(NamedTuple):
    """A photo that a person has labelled, with the model's label.

    Attributes:
        label: The person's label.
        model_label: The live model's label for an audited photo, None if it has not seen that; else the row's.
        is_audit: Whether it belongs to the audit sample.
    """

    id: int
    name: str
    sha256: str
    label: str
    model_label: str | None
    is_audit: bool

    @property
    def is_right(self) -> bool | None:
        """Whether the model agrees with the person; None if it has not seen the photo."""
        return None if self.model_label is None else self.model_label == self.label


class Teacher:
    """Chooses questions from the database of one root. Any thread may call it."""

    def __init__(self, engine: sa.Engine, features: PhotoFeatures, read_models: Callable[[], Models]) -> None:
        """Opens nothing yet.

        Args:
            engine: The database, for queries.
            features: Features of its photos.
            read_models: Returns the models as they are now.
        """
        self._engine = engine
        self._features = features
        self._read_models = read_models

    def questions(self, skipped: Collection[int] = ()) -> list[Question]:
        """The next set. skipped: ids of photos that are left out."""
        models = self._read_models()
        spare = len(skipped)
        candidate = models.candidate_sha256
        disputed = teaching.disagreements(self._engine, candidate, DISAGREEMENTS + SIZE + spare) if candidate else ()
        uncertain = [photo for photo in teaching.uncertain(self._engine, _UNCERTAIN + spare) if photo.id not in skipped]
        return compose(
            doubtful=teaching.doubtful(self._engine, models.asked_again) if models.asked_again else (),
            disagreements=disputed,
            audit=audit.questions(self._engine, AUDIT, skipped),
            uncertain=self._most_informative(one_per_burst(uncertain, MOST)),
            skipped=skipped,
        )

    def accuracy(self) -> Accuracy:
        """The live model's accuracy by the audit sample."""
        return audit.accuracy(audit.audited(self._engine, self._read_models().live_sha256))

    def answers(self, ids: Sequence[int]) -> list[Answer]:
        """Those of the photos that a person has labelled, in the order of the ids."""
        r = results.c
        columns = (r.id, r.name, r.sha256, r.corrected_label, r.predicted_label)
        query = sa.select(*columns).where(r.id.in_(ids), r.corrected_label.is_not(None))
        live = {photo.id: photo.live_label for photo in audit.audited(self._engine, self._read_models().live_sha256)}
        with self._engine.connect() as connection:
            rows = {row.id: row for row in connection.execute(query)}
        return [
            Answer(
                id=row.id,
                name=row.name,
                sha256=row.sha256,
                label=row.corrected_label,
                model_label=live.get(row.id, row.predicted_label),
                is_audit=row.id in live,
            )
            for row in (rows[photo_id] for photo_id in dict.fromkeys(ids) if photo_id in rows)
        ]

    def _most_informative(self, pool: Sequence[UncertainPhoto]) -> list[UncertainPhoto]:
        """Puts first those that teach most together, as far as their features are there; then the most uncertain."""
        self._features.prepare([(photo.id, photo.sha256) for photo in pool])
        self._features.wait(_PATIENCE_S)
        features = self._features.read([photo.sha256 for photo in pool])
        known = [photo for photo in pool if photo.sha256 in features]
        if not known or len(known) < min(2 * SIZE, len(pool)):  # a choice among few would leave out the most uncertain
            return list(pool)
        chosen = most_informative(
            [photo.probability for photo in known],
            np.stack([features[photo.sha256] for photo in known]),
            SIZE,
            [photo.sha256 for photo in known],  # of a burst one is in the pool
            seed=len(known),
        )
        first = [known[index] for index in chosen]
        return first + [photo for photo in pool if photo not in first]
