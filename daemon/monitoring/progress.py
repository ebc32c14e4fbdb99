"""Progress bar for a person at a terminal."""

from collections import Counter
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

DESTINATIONS: Final = ("food", "non_food", "unsure", "duplicate", "other", "failed")


class Progress:
    """A bar on a console; it draws nothing when the console is no terminal."""

    def __init__(self, console: Console) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("watching", total=None)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Restores the terminal."""
        self._bar.stop()

    def show(self, counts: Counter[str], waiting: int) -> None:
        """Draws the numbers of photos filed, by destination, and waiting."""
        filed = counts.total()
        self._bar.update(self._task, description=summary(counts), completed=filed, total=filed + waiting)


def summary(counts: Counter[str]) -> str:
    """Formats counts: `3 food, 2 non_food, 1 failed`; `unsure`, `duplicate` and `other` only when they are not zero."""
    return ", ".join(
        f"{counts[name]} {name}"
        for name in DESTINATIONS
        if counts[name] or name not in {"unsure", "duplicate", "other"}
    )
