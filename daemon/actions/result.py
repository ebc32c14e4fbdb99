"""The result of an action on each photo."""

from collections.abc import Iterable, Iterator, Mapping
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


def in_order(
    photos: Iterable[Photo], results: Iterable[ActionResult], problems: Mapping[int, str] | None = None
) -> Iterator[ActionResult]:
    """The results in the order of the photos, which have one each.

    Args:
        photos: The photos.
        results: Their results.
        problems: Problems with their companions, by the ids of the photos.
    """
    by_id = {result.photo.id: result for result in results}
    for photo_id, problem in (problems or {}).items():
        if not by_id[photo_id].problem:
            by_id[photo_id] = by_id[photo_id]._replace(problem=problem)
    return (by_id[photo.id] for photo in photos)
