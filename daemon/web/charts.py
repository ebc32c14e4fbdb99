"""Geometry of stacked column charts. Pure; templates draw them."""

from collections.abc import Iterable, Mapping, Sequence
from math import floor, log10
from typing import NamedTuple

WIDTH = 1000.0
HEIGHT = 100.0
"""Size of a chart in its own units; a browser stretches it."""
_GAP = 0.16
"""Share of a column's room that stays empty."""


class Part(NamedTuple):
    """A rectangle of one kind, in units of the chart; y counts from the top."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Column(NamedTuple):
    """A column: its parts, and the room between its neighbours."""

    parts: list[Part]
    x: float
    width: float


class Chart(NamedTuple):
    """A chart.

    Attributes:
        columns: From left to right.
        top: The count at the chart's full height.
    """

    columns: list[Column]
    top: int


def chart(stacks: Sequence[Mapping[str, int]]) -> Chart:
    """Draws one column for each stack of counts by kind, from the bottom in the order of the kinds."""
    top = round_up(max((sum(stack.values()) for stack in stacks), default=0))
    room = WIDTH / max(len(stacks), 1)
    columns = [
        Column(list(_parts(stack, (number + _GAP / 2) * room, (1 - _GAP) * room, top)), number * room, room)
        for number, stack in enumerate(stacks)
    ]
    return Chart(columns, top)


def _parts(stack: Mapping[str, int], x: float, width: float, top: int) -> Iterable[Part]:
    below = 0
    for kind, count in stack.items():
        if count > 0:
            height = HEIGHT * count / top
            yield Part(kind, x, HEIGHT * (1 - below / top) - height, width, height)
        below += count


def round_up(count: int) -> int:
    """The next even number that is 1, 2, 4, 6 or 8 times a power of ten, so that its half is whole; at least 2."""
    if count <= 2:
        return 2
    power = int(10 ** floor(log10(count)))
    return next(top for step in (1, 2, 4, 6, 8, 10) if (top := step * power) >= count and top % 2 == 0)
