"""Records labels by people, one row in `reviews` each, and moves each photo to the folder of its valid label."""

from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa

from daemon.actions.label_moves import LabelChange, LabelMoves
from daemon.actions.labels import PersonLabel, Source, new_labels, withdrawals
from daemon.actions.result import ActionResult
from daemon.destinations.folders import DestinationFolders
from daemon.inbox.claims import Claims
from daemon.queries.photo_rows import Photo

NO_PERSON_LABEL = "has no label by a person that could be withdrawn"


class CorrectAction:
    """Records labels by people and moves the photos. The caller holds the action lock."""

    def __init__(self, destinations: DestinationFolders, engine: sa.Engine, claims: Claims) -> None:
        self._moves = LabelMoves(destinations, engine, claims)
        self._engine = engine

    def label(self, photos: Iterable[Photo], label: PersonLabel, source: Source = "person") -> Iterator[ActionResult]:
        """Labels filed photos and moves those in other folders to the label's folder, without overwriting.

        A photo that cannot be moved keeps its label.
        """
        return self._moves.apply(photos, lambda chunk: new_labels(self._engine, chunk, label, source))

    def preview_label(self, photos: Iterable[Photo], label: PersonLabel) -> Iterator[ActionResult]:
        """What `label` would do, as far as that can be known without doing it."""
        return self._moves.preview(photos, lambda chunk: new_labels(self._engine, chunk, label))

    def withdraw(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """Removes each photo's newest label by a person and moves the photo to the folder of its valid label.

        The valid label is then the previous one by a person, else the model's. A photo that cannot be moved keeps its
        label.
        """
        return self._moves.apply(photos, self._withdrawals)

    def preview_withdraw(self, photos: Iterable[Photo]) -> Iterator[ActionResult]:
        """What `withdraw` would do, as far as that can be known without doing it."""
        return self._moves.preview(photos, self._withdrawals)

    def recover(self) -> Iterator[ActionResult]:
        """Completes the moves of a process that was killed, those of `reclassify` and its undo included."""
        return self._moves.recover()

    def _withdrawals(self, photos: list[Photo]) -> Mapping[int, LabelChange | str]:
        return {photo.id: NO_PERSON_LABEL for photo in photos} | withdrawals(self._engine, photos)
