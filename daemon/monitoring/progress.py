"""Progress bar for a person at a terminal."""

from collections import Counter
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
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


class WorkProgress:
    """A bar for each step of work of known size, with the time that remains; it draws nothing without a terminal."""

    def __init__(self, console: Console) -> None:
        """Draws nothing before the first step."""
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            # Over some minutes: photos differ much in their size.
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=300,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "WorkProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, description: str, total: int) -> None:
        """Begins a step, in a line of its own."""
        self._task = self._bar.add_task(description, total=total)

    def advance(self, number: int = 1) -> None:
        """Counts work of the step that is done. Any thread may call it."""
        if self._task is not None:
            self._bar.advance(self._task, number)


def summary(counts: Counter[str]) -> str:
    """Formats counts: `3 food, 2 non_food, 1 failed`; `unsure`, `duplicate` and `other` only when they are not zero."""
    return ", ".join(
        f"{counts[name]} {name}"
        for name in DESTINATIONS
        if counts[name] or name not in {"unsure", "duplicate", "other"}
    )
