"""Finds the photos that a person names right after a move by hand, by their new or their old paths."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from daemon.actions.facts import RowFacts
from daemon.destinations.originals import OriginalMissing
from daemon.drags.follower import CHUNK_PLACES, DragFollower, Examined
from daemon.drags.plan import PRESENT
from daemon.drags.writer import Drag
from daemon.queries import pathspec
from daemon.queries.arguments import PathArgument
from models.filenames import escape_name


class DragSearch:
    """Lets rows follow the photos that a command is about. The caller holds the action lock."""

    def __init__(self, root: Path, follower: DragFollower, on_drag: Callable[[Drag], None]) -> None:
        """on_drag: called with each photo whose row has followed it."""
        self._root = root
        self._on_drag = on_drag
        self._follower = follower
        self._inventory = follower.inventory
        self._destinations = follower.inventory.destinations

    def follow(self, arguments: Iterable[PathArgument]) -> list[PathArgument]:
        """Lets rows follow.

        Args:
            arguments: Paths of photos or folders, as a person typed them.

        Returns:
            The arguments; the new path in the place of an old one, at which nothing is any more.

        Raises:
            OSError: A folder cannot be read.
            sqlalchemy.exc.SQLAlchemyError: The database is not available.
        """
        arguments = list(arguments)
        places = {argument: self._places(argument) for argument in arguments}
        named = {place: None for of_one in places.values() for place in of_one}
        self._examine(file for place in named for file in self._files(place))
        moved = self._search(list(self._lost(list(named))))
        followed = []
        for argument in arguments:
            new = next((moved[place] for place in places[argument] if place in moved), None)
            path = None if new is None else escape_name(self._destinations.path(new))
            followed.append(argument if path is None else PathArgument(path, literal=True))
        return followed

    def _report(self, examined: Examined) -> None:
        for drag in examined.drags:
            self._on_drag(drag)

    def _places(self, argument: PathArgument) -> list[bytes]:
        """The places in the folders of sorted photos that an argument may mean."""
        readings = pathspec.candidates(argument.text, self._root)
        paths = {self._destinations.place(self._destinations.path(path)) for reading in readings for path in reading}
        return sorted(paths)

    def _files(self, place: bytes) -> Iterator[bytes]:
        """A place, or the files below it if it is a folder."""
        path = self._destinations.path(place)
        if not os.path.isdir(path):
            yield place
            return
        for folder, _, names in os.walk(path):
            for name in names:
                yield self._destinations.place(os.path.join(folder, name))

    def _examine(self, places: Iterator[bytes]) -> None:
        sorted_places = filter(self._follower.is_sorted_place, places)
        while chunk := list(islice(sorted_places, CHUNK_PLACES // 2)):
            self._report(self._follower.examine(chunk))
            if gone := self._gone_with_bytes_of([place for place in chunk if place in self._follower.strangers]):
                self._report(self._follower.examine([*chunk, *gone]))

    def _gone_with_bytes_of(self, strangers: list[bytes]) -> list[bytes]:
        """The places of photos that are gone and have the bytes of a file."""
        digests = set()
        for place in strangers:
            file = self._inventory.at(place)
            with suppress(OriginalMissing):
                if file is not None:
                    digests.add(self._inventory.digest(file))
        rows = self._follower.rows.by_digest(digests)
        gone = (row.place for row in rows if row.state in PRESENT and self._inventory.at(row.place) is None)
        return list(islice(gone, CHUNK_PLACES // 2))

    def _lost(self, places: list[bytes]) -> Iterator[RowFacts]:
        """The rows that name places at which nothing is."""
        for start in range(0, len(places), CHUNK_PLACES):
            for row in self._follower.rows.by_place(places[start : start + CHUNK_PLACES]):
                if row.state in PRESENT and self._inventory.at(row.place) is None:
                    yield row

    def _search(self, lost: list[RowFacts]) -> dict[bytes, bytes]:
        """Searches all folders of sorted photos for photos; returns the new places by the old ones."""
        if not lost:
            return {}
        identities = {row.identity for row in lost}
        sizes = {row.size_bytes for row in lost}
        by_identity, by_size = [], []
        for file in self._inventory.files():
            if file.identity in identities:
                by_identity.append(file.place)
            elif file.size_bytes in sizes:
                by_size.append(file.place)
        moved: dict[bytes, bytes] = {}
        candidates = iter((*by_identity, *by_size))
        places = [row.place for row in lost]
        for start in range(0, len(places), CHUNK_PLACES // 2):
            gone = places[start : start + CHUNK_PLACES // 2]
            while chunk := list(islice(candidates, CHUNK_PLACES // 2)):
                examined = self._follower.examine([*chunk, *gone])
                self._report(examined)
                moved |= {drag.row.place: drag.file.place for drag in examined.drags}
            candidates = iter(by_size)
        return moved
