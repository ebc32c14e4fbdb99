"""How far a reader has read the table `changes`."""

from typing import NamedTuple

Range = tuple[int, int]
"""First and last id."""

_MAX_MISSING = 1000


class Position(NamedTuple):
    """What a reader has read of the table `changes`.

    Attributes:
        database: Id of the database, see `changes.database_id`; "" before the first reading.
        change: The highest id that was read; 0 before the first.
        photo: The photo of that change. In another copy of the database the id may belong to another photo.
        missing: Ranges of lower ids that have not been seen, ascending.
    """

    database: str = ""
    change: int = 0
    photo: int = 0
    missing: tuple[Range, ...] = ()

    def after(self, change: int, photo: int, *, in_order: bool) -> "Position":
        """The position after one more change.

        Args:
            change: Its id.
            photo: The id of its photo.
            in_order: Whether ids become visible in their order. In SQLite they do: one transaction writes at a time. On
                a server, a transaction may get a lower id and be committed later. Ids that are passed over stay
                missing until they are seen; those of transactions that were rolled back are never seen.
        """
        if change < self.change:
            return self._replace(missing=tuple(_without(self.missing, change)))
        missing = self.missing
        if not in_order and change > self.change + 1:
            # A transaction does not stay open while a thousand others fail.
            missing = (*missing, (self.change + 1, change - 1))[-_MAX_MISSING:]
        return self._replace(change=change, photo=photo, missing=missing)


def _without(ranges: tuple[Range, ...], number: int) -> list[Range]:
    """The ranges without one number."""
    rest = []
    for first, last in ranges:
        if not first <= number <= last:
            rest.append((first, last))
            continue
        if first < number:
            rest.append((first, number - 1))
        if number < last:
            rest.append((number + 1, last))
    return rest
