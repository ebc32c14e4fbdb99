"""Which photos a person is asked about together. Pure: the photos are given, and nothing is read or drawn by chance."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from daemon.queries.audit import AuditQuestion
from daemon.queries.teaching import Disagreement, DoubtfulLabel, UncertainPhoto

SIZE = 20
"""Photos of a set."""
AUDIT = 5
DISAGREEMENTS = 5
_ASKED_AGAIN = 10
"""Most photos of a set by their kinds; uncertain ones fill it up."""

_Photo = TypeVar("_Photo", DoubtfulLabel, Disagreement, AuditQuestion, UncertainPhoto)


class Question(NamedTuple):
    """A photo to label.

    Attributes:
        earlier: The label that the person gave before and is asked for again; None for all other photos.
        review_id: The id of that label.
    """

    id: int
    sha256: str
    earlier: str | None = None
    review_id: int | None = None


def compose(
    doubtful: Iterable[DoubtfulLabel],
    disagreements: Iterable[Disagreement],
    audit: Iterable[AuditQuestion],
    uncertain: Iterable[UncertainPhoto],
    skipped: Collection[int] = (),
) -> list[Question]:
    """Composes a set of at most SIZE photos, no two of the same bytes.

    Args:
        doubtful: Labels to ask for again; they come first.
        disagreements: Photos on which the live model and the candidate disagree.
        audit: The next questions of the audit.
        uncertain: Uncertain photos, the most informative first; as many as the others leave room for.
        skipped: Ids of photos that the person has skipped.

    Returns:
        Labels in doubt, then the others in an order that tells nothing of a photo's kind or label.
    """
    taken: set[str] = set()

    def some(photos: Iterable[_Photo], most: int) -> list[_Photo]:
        """Takes the first photos that are neither skipped nor in the set."""
        chosen: list[_Photo] = []
        for photo in photos:
            if len(chosen) < most and photo.id not in skipped and photo.sha256 not in taken:
                taken.add(photo.sha256)
                chosen.append(photo)
        return chosen

    again = [Question(label.id, label.sha256, label.label, label.review_id) for label in some(doubtful, _ASKED_AGAIN)]
    others = [Question(photo.id, photo.sha256) for photo in some(audit, AUDIT)]
    others += [Question(photo.id, photo.sha256) for photo in some(disagreements, DISAGREEMENTS)]
    room = SIZE - len(again) - len(others)
    others += [Question(photo.id, photo.sha256) for photo in some(uncertain, room)]
    return again + sorted(others, key=_shuffled)


def one_per_burst(photos: Sequence[UncertainPhoto], size: int) -> list[UncertainPhoto]:
    """Keeps the most uncertain photo of each burst.

    Photos that no camera dated count as a burst when they were sorted in the same minute. That is a guess: many photos
    that arrive at once are no burst. So they fill the list up if it would be shorter than `size`.

    Args:
        photos: Photos, the most uncertain first.
        size: Length of the result, if there are as many.
    """
    firsts = {photo.burst: photo for photo in reversed(photos)}
    kept = [photo for photo in photos if firsts[photo.burst] is photo]
    rest = [photo for photo in photos if not photo.taken_at and firsts[photo.burst] is not photo]
    by_bytes = {photo.sha256: photo for photo in reversed(kept + rest)}
    return [photo for photo in kept + rest if by_bytes[photo.sha256] is photo][:size]


def _shuffled(question: Question) -> str:
    """A key that depends on the bytes of the photo alone, and not in the order of the audit."""
    return hashlib.sha256(question.sha256.encode()).hexdigest()
