"""Files in the folders of sorted photos that no row knows, by size: a copy may turn out to be a moved photo."""

from collections.abc import Iterable

_MOST = 100_000


class Strangers:
    """The places of such files; of too many the oldest are forgotten. Used by one thread."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._sizes: dict[bytes, int] = {}
        self._places: dict[int, dict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, place: bytes) -> bool:
        return place in self._sizes

    def add(self, place: bytes, size_bytes: int) -> None:
        """Remembers a file."""
        self.discard(place)
        self._sizes[place] = size_bytes
        self._places.setdefault(size_bytes, {})[place] = None
        if len(self._sizes) > self._most:
            self.discard(next(iter(self._sizes)))

    def discard(self, place: bytes) -> None:
        """Forgets a file."""
        size_bytes = self._sizes.pop(place, None)
        if size_bytes is not None:
            self._places[size_bytes].pop(place)
            if not self._places[size_bytes]:
                del self._places[size_bytes]

    def of_size(self, sizes: Iterable[int]) -> list[bytes]:
        """Returns the places of files of these sizes (bytes)."""
        return [place for size_bytes in set(sizes) for place in self._places.get(size_bytes, ())]
