"""The result of an action on each photo."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from daemon.queries.photo_rows import Photo

BUSY = "is being handled by another call of foodsort"
"""The problem of a photo whose row another process has changed meanwhile."""


class ActionResult(NamedTuple):
    """The result of an action on one photo.

    Attributes:
        photo: The photo as it was before the action.
        place: Its place as its row names it now; empty if there was a problem.
        problem: Why nothing was done, to follow the photo's name; empty if the action succeeded.
    """

    photo: Photo
    place: bytes = b""
    problem: str = ""


def in_order(photos: Iterable[Photo], results: Iterable[ActionResult]) -> Iterator[ActionResult]:
    """The results in the order of the photos, which have one each."""
    by_id = {result.photo.id: result for result in results}
    return (by_id[photo.id] for photo in photos)
