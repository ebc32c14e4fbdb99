"""Selects the photos that a person named: by path, by batch, by time, by kind of failure."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from daemon.database.schema import RECLASSIFY, batches, photos, reviews
from daemon.database.timestamps import format_time
from daemon.fs import dirfd
from daemon.photo import State
from daemon.queries import globs, pathspec
from daemon.queries.arguments import PathArgument
from daemon.queries.explanations import WHY_NOT_MOVED
from daemon.queries.pathspec import PathCandidates
from daemon.queries.photo_rows import COLUMNS, Photo
from models.errors import FoodsortError
from models.filenames import escape_control_characters, escape_name, unescape_name


class NoMatch(FoodsortError):
    """Raised when a person named no photo, or only photos in other states. The message has the reason."""


class Batch(NamedTuple):
    """A batch. kind: SORT or RECLASSIFY."""

    id: int
    kind: str


class PhotoSelection:
    """Selects photos of one root that are in certain states."""

    def __init__(
        self,
        engine: sa.Engine,
        root: Path,
        states: Sequence[State],
        refusals: Mapping[State, str] = WHY_NOT_MOVED,
    ) -> None:
        """refusals: why a photo in another state is not selected, for messages."""
        self._engine = engine
        self._root = root
        self._states = states
        self._refusals = refusals

    def by_ids(self, ids: Sequence[int]) -> list[Photo]:
        """The photos with these ids."""
        return self._select(photos.c.id.in_(ids))

    def all(self, kinds: Sequence[str] = ()) -> list[Photo]:
        """All photos, or only those that failed for one of these reasons."""
        return self._select(photos.c.error_kind.in_(kinds)) if kinds else self._select()

    def filed_since(self, time: datetime) -> list[Photo]:
        """The photos that came to their places at a time or later."""
        return self._select(photos.c.filed_at >= format_time(time))

    def newest_batch(self) -> Batch | None:
        """The newest batch with a photo in these states; of `reclassify`, with one that no person has labelled since."""
        of_batch = sa.and_(photos.c.batch_id == batches.c.id, photos.c.state.in_(self._states))
        labelled = sa.exists().where(reviews.c.photo_id == photos.c.id)
        has_any = sa.exists().where(of_batch, sa.or_(batches.c.kind != RECLASSIFY, ~labelled))
        query = sa.select(batches.c.id, batches.c.kind).where(has_any).order_by(batches.c.id.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else Batch._make(row)

    def batch(self, batch_id: int) -> Batch:
        """A batch by its id.

        Raises:
            NoMatch: There is no such batch.
        """
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(batches.c.id, batches.c.kind).where(batches.c.id == batch_id)).first()
        if row is None:
            raise NoMatch(
                f"there is no batch {batch_id}; `foodsort results --format csv` shows the batch of each photo"
            )
        return Batch._make(row)

    def by_batch(self, batch_id: int) -> list[Photo]:
        """The photos whose latest classification was in a batch."""
        return self._select(photos.c.batch_id == batch_id)

    def by_path(self, path: PathArgument, kinds: Sequence[str] = ()) -> list[Photo]:
        """The photo at a path, else the photos below it if it is a folder, else those that match it as a pattern.

        The first reading of the path that any photo has decides, in any state of that photo. A reading below the root
        comes before one below the working folder, and a path as `foodsort results` shows it before one as on the disk.

        Args:
            path: Absolute, or relative to the root or the working folder. In a pattern, a star ends at a slash.
            kinds: Only photos that failed for one of these reasons; all if empty.

        Raises:
            NoMatch: No photo is there, or only photos in another state.
        """
        readings = pathspec.candidates(path.text, self._root)
        for condition in self._conditions(readings):
            selected = self._select(condition)
            if selected:
                break
            self._refuse_other_states(path, condition)
        else:
            selected = self._matching(path, pathspec.names(readings))
        # A place may have belonged to another photo before, whose row may even be the newer of the two. The file tells; else
        # the one that was sorted last has the highest batch. Times do not: the clock may have been set back.
        places = Counter(photo.path for photo in selected)
        order = sorted(
            selected,
            key=lambda photo: (places[photo.path] > 1 and self._is_at_place(photo), photo.batch_id, photo.id),
        )
        newest = {photo.path: photo for photo in order}
        return [photo for photo in newest.values() if not kinds or photo.error_kind in kinds]

    def _is_at_place(self, photo: Photo) -> bool:
        """Whether the file at a photo's place is the one in its row."""
        try:
            stat = os.lstat(os.path.join(os.fsencode(self._root), photo.path))
        except OSError:
            return False
        return dirfd.identity(stat) == photo.identity and photo.looks_like(stat)

    def _select(self, *conditions: "sa.ColumnElement[bool]") -> list[Photo]:
        query = sa.select(*COLUMNS).where(photos.c.state.in_(self._states), *conditions).order_by(photos.c.id)
        with self._engine.connect() as connection:
            return [Photo._make(row) for row in connection.execute(query)]

    def _matching(self, path: PathArgument, names: set[str]) -> list[Photo]:
        is_literal = path.literal or self._is_name(names)
        for patterns in () if is_literal else pathspec.patterns(path.text, self._root):
            condition = _coarse_match(patterns, self._engine.dialect.name)
            matches = _matcher(patterns)
            if selected := [photo for photo in self._select(condition) if matches(photo)]:
                return selected
            self._refuse_other_states(path, condition, matches)
        is_pattern = not path.literal and globs.is_glob(path.text)
        problem = "no photo matches this pattern" if is_pattern else "the database has no photo at this path"
        raise NoMatch(
            f"{escape_control_characters(path.text)}: {problem}; `foodsort results` shows where each photo is"
        )

    def _is_name(self, names: set[str]) -> bool:
        """Whether a photo has such a name with brackets: once photo[1].jpg has moved, it must not select photo1.jpg."""
        bracketed = {name for name in names if "[" in name and {"*", "?"}.isdisjoint(name)}
        return self._exists(photos.c.name.in_(bracketed))

    def _conditions(self, readings: Sequence[PathCandidates]) -> "Iterator[sa.ColumnElement[bool]]":
        """Conditions on a photo for each reading of a path, in the order in which they are tried."""
        yield from map(_at, readings)
        below = [_below(reading) for reading in readings]
        if self._exists(sa.or_(*below)):  # no index helps here, so one query asks for all of them first
            yield from below

    def _exists(self, condition: "sa.ColumnElement[bool]") -> bool:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(photos.c.id).where(condition).limit(1)).first() is not None

    def _refuse_other_states(
        self,
        path: PathArgument,
        condition: "sa.ColumnElement[bool]",
        matches: Callable[[Photo], bool] = lambda photo: True,
    ) -> None:
        """Raises NoMatch with the reason if the path refers to a photo in another state."""
        query = sa.select(*COLUMNS).where(condition).order_by(photos.c.id.desc())
        with self._engine.connect() as connection, connection.execution_options(yield_per=1000).execute(query) as rows:
            other = next(filter(matches, map(Photo._make, rows)), None)
        if other is not None:
            is_same = any(name.endswith(other.path) for name in (unescape_name(path.text), os.fsencode(path.text)))
            other_path = "" if is_same else f"{escape_name(other.path)}: "
            typed = escape_control_characters(path.text)
            raise NoMatch(f"{typed}: {other_path}{self._refusals[other.state]}")


def _at(places: PathCandidates) -> "sa.ColumnElement[bool]":
    # By name first: there is an index on names.
    same = sa.and_(photos.c.name.in_(pathspec.names([places])), photos.c.path_bytes.in_(places))
    return photos.c.id.in_(sa.select(photos.c.id).where(same))


def _below(folders: PathCandidates) -> "sa.ColumnElement[bool]":
    # "0" comes after "/": the range holds everything that starts with the folder and a slash.
    path = photos.c.path_bytes
    return sa.or_(*(sa.and_(path > folder + b"/", path < folder + b"0") for folder in folders))


def _coarse_match(patterns: Iterable[str], dialect: str) -> "sa.ColumnElement[bool]":
    """Matches the paths that match a pattern, and more: a database's star does not end at a slash."""
    coarse = (globs.coarse(pattern) + end for pattern in patterns for end in ("", "/*"))
    return sa.or_(*(globs.matches(photos.c.path, pattern, dialect) for pattern in coarse))


def _matcher(patterns: Iterable[str]) -> Callable[[Photo], bool]:
    """Whether a photo's path matches one of the patterns exactly."""
    path_matchers = [globs.path_matcher(pattern) for pattern in patterns]
    return lambda photo: any(matches(escape_name(photo.path)) for matches in path_matchers)
