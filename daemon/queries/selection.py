"""Which photos a person means: by path, by batch, by time, by kind of failure."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database.schema import batches, photos
from daemon.database.timestamps import format_mtime, format_time
from daemon.fs import dirfd
from daemon.photo import CORRECTING, DUPLICATE, FAILED, FILED, FILING, State
from daemon.queries import globs, pathspec
from daemon.queries.pathspec import Line, PathCandidates
from models.errors import FoodsortError
from models.filenames import escape_control_characters, escape_name, unescape_name


class Photo(NamedTuple):
    """A photo's row, as far as it matters here. path, inbox_path: its bytes as the row has them."""

    id: int
    state: State
    path: bytes
    inbox_path: bytes
    identity: str
    sha256: str
    size_bytes: int
    modified_at: str
    error_kind: str | None
    filed_at: str | None

    def looks_like(self, stat: os.stat_result) -> bool:
        """Whether a file has the size and time of change that the row has."""
        mine = (self.size_bytes, self.modified_at)
        return dirfd.is_regular(stat) and (stat.st_size, format_mtime(stat.st_mtime_ns)) == mine


_COLUMNS = (
    *(photos.c.id, photos.c.state, photos.c.path_bytes, photos.c.inbox_path_bytes, photos.c.identity),
    *(photos.c.sha256, photos.c.size_bytes, photos.c.modified_at, photos.c.error_kind, photos.c.filed_at),
)

WHY: Mapping[State, str] = {
    "filing": "is on its way to there; try again in a moment",
    "filed": "is filed; `foodsort undo` takes it back first",
    "duplicate": "is set aside; `foodsort undo` takes it back first",
    "correcting": "is on its way to there; try again in a moment",
    "deleting": "is being deleted",
    "deleted": "was deleted",
    "missing": "was taken away by somebody else before it came there",
    "undoing": "is on its way back to the inbox",
    "undone": "is in the inbox already, and stays there until `foodsort retry` asks for it",
    "retrying": "is on its way back to the inbox",
    "retry": "is in the inbox already, to be sorted again",
}
"""Why a photo in a state is not to be had."""

_AT_ONCE = 64  # photos whose rows are written in one transaction


class NoMatch(FoodsortError):
    """Raised when no photo is what a person named. The message says why."""


class PhotoSelection:
    """Asks for photos of one root in some states."""

    def __init__(self, engine: sa.Engine, root: Path, states: Sequence[State], why: Mapping[State, str] = WHY) -> None:
        """why: what to say of a photo in another state."""
        self._engine, self._root, self._states, self._reasons = engine, root, states, why

    def ids(self, ids: Sequence[int]) -> list[Photo]:
        """Those among these rows."""
        return self._ask(photos.c.id.in_(ids))

    def all(self, kinds: Sequence[str] = ()) -> list[Photo]:
        """All, or those that failed for one of these reasons."""
        return self._ask(photos.c.error_kind.in_(kinds)) if kinds else self._ask()

    def since(self, time: datetime) -> list[Photo]:
        """Those that came to their places at a time or later."""
        return self._ask(photos.c.filed_at >= format_time(time))

    def last_batch(self) -> list[Photo]:
        """Those of the newest batch that has any."""
        of_it = sa.exists().where(photos.c.batch_id == batches.c.id, photos.c.state.in_(self._states))
        newest = sa.select(batches.c.id).where(of_it).order_by(batches.c.id.desc()).limit(1)
        return self._ask(photos.c.batch_id == newest.scalar_subquery())

    def batch(self, number: int) -> list[Photo]:
        """Those of one batch. Raises NoMatch when there is no such batch."""
        with self._engine.connect() as connection:
            if connection.execute(sa.select(batches.c.id).where(batches.c.id == number)).scalar() is None:
                raise NoMatch(
                    f"there is no batch {number}; `foodsort results --format csv` gives the batch of each photo"
                )
        return self._ask(photos.c.batch_id == number)

    def path(self, given: str, kinds: Sequence[str] = ()) -> list[Photo]:
        """The photo at a path, or else those below it where it is a folder, or else those that match it. Raises NoMatch.

        given: absolute, relative to the root or to the working folder, as `foodsort results` shows it or as it is on the disk:
        what is tried in this order, up to the first that any photo has, whatever its state; or a pattern, as `globs` says, of
        which a star ends at a slash. A `Line` is no pattern.
        """
        ways = pathspec.places(given, self._root)
        for condition in self._conditions(ways):
            if found := self._ask(condition):
                break
            self._refuse(given, condition)
        else:
            found = self._matching(given, pathspec.names(ways))
        # A place may have been another photo's before, and that one's row be the younger of the two.
        newest = {photo.path: photo for photo in sorted(found, key=lambda photo: photo.filed_at or "")}
        return [photo for photo in newest.values() if not kinds or photo.error_kind in kinds]

    def _ask(self, *conditions: "sa.ColumnElement[bool]") -> list[Photo]:
        query = sa.select(*_COLUMNS).where(photos.c.state.in_(self._states), *conditions).order_by(photos.c.id)
        with self._engine.connect() as connection:
            return [Photo._make(row) for row in connection.execute(query)]

    def _matching(self, given: str, names: set[str]) -> list[Photo]:
        for patterns in () if isinstance(given, Line) or self._is_name(names) else pathspec.patterns(given, self._root):
            condition = _roughly(patterns, self._engine.dialect.name)
            matches = [globs.paths(pattern) for pattern in patterns]

            def match(photo: Photo, matches: list[Callable[[str], bool]] = matches) -> bool:
                return any(one(escape_name(photo.path)) for one in matches)

            if found := [photo for photo in self._ask(condition) if match(photo)]:
                return found
            self._refuse(given, condition, match)
        what = "no photo is there" if isinstance(given, Line) or not globs.is_glob(given) else "no such photo matches"
        raise NoMatch(
            f"{escape_control_characters(given)}: {what} by the database; `foodsort results` shows where each is"
        )

    def _is_name(self, names: set[str]) -> bool:
        """Whether a photo is called so, like photo[1].jpg: where it lies no longer, photo1.jpg is not meant."""
        return self._meets(photos.c.name.in_({name for name in names if "[" in name and {"*", "?"}.isdisjoint(name)}))

    def _conditions(self, ways: Sequence[PathCandidates]) -> "Iterator[sa.ColumnElement[bool]]":
        """What a photo meets that a path names, in the order in which its readings are tried."""
        yield from map(_at, ways)
        below = [*map(_below, ways)]
        if self._meets(sa.or_(*below)):  # no index helps here, so all are looked for at once
            yield from below

    def _meets(self, condition: "sa.ColumnElement[bool]") -> bool:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(photos.c.id).where(condition).limit(1)).first() is not None

    def _refuse(
        self, given: str, condition: "sa.ColumnElement[bool]", match: Callable[[Photo], bool] = lambda _: True
    ) -> None:
        """Raises NoMatch, with the reason, where a photo in another state is what was meant."""
        query = sa.select(*_COLUMNS).where(condition).order_by(photos.c.id.desc())
        with self._engine.connect() as connection, connection.execution_options(yield_per=1000).execute(query) as rows:
            other = next(filter(match, map(Photo._make, rows)), None)
        if other is not None:
            itself = any(name.endswith(other.path) for name in (unescape_name(given), os.fsencode(given)))
            which = "" if itself else f"{escape_name(other.path)}: "
            raise NoMatch(f"{escape_control_characters(given)}: {which}{self._reasons[other.state]}")


def reload(engine: sa.Engine, photo: Photo) -> Photo:
    """A photo as its row has it now."""
    with engine.connect() as connection:
        return Photo._make(connection.execute(sa.select(*_COLUMNS).where(photos.c.id == photo.id)).one())


def in_chunks(chosen: Iterable[Photo]) -> Iterator[list[Photo]]:
    """Photos by as many as are handled in one transaction."""
    remaining = iter(chosen)
    while some := list(itertools.islice(remaining, _AT_ONCE)):
        yield some


def elsewhere(engine: sa.Engine, photo: Photo) -> bool:
    """Whether the place that a photo's row names has become another one's since."""
    name = escape_name(os.path.basename(photo.path))  # there is an index on it
    p = photos.c
    query = sa.select(p.id).where(p.name == name, p.path_bytes == photo.path, p.id != photo.id)
    later = sa.or_(p.state.in_((FILING, CORRECTING)), p.filed_at > photo.filed_at)
    with engine.connect() as connection:
        found = connection.execute(query.where(p.state.in_((FILING, FILED, CORRECTING, FAILED, DUPLICATE)), later))
        return found.first() is not None


def _at(places: PathCandidates) -> "sa.ColumnElement[bool]":
    lying = photos.c.name.in_(pathspec.names([places])), photos.c.path_bytes.in_(places)  # there is an index on names
    return photos.c.id.in_(sa.select(photos.c.id).where(*lying))


def _below(places: PathCandidates) -> "sa.ColumnElement[bool]":
    # "0" comes after "/": this is everything that starts with the place and a slash.
    return sa.or_(*(sa.and_(photos.c.path_bytes > one + b"/", photos.c.path_bytes < one + b"0") for one in places))


def _roughly(patterns: Iterable[str], dialect: str) -> "sa.ColumnElement[bool]":
    """Finds the paths that match, and others: a database's star does not end at a slash."""
    rough = (globs.coarse(pattern) + end for pattern in patterns for end in ("", "/*"))
    return sa.or_(*(globs.matches(photos.c.path, pattern, dialect) for pattern in rough))
