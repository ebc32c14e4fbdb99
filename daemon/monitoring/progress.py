"""How far the daemon is, for a person who watches it on a terminal."""

from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

ORDER = ("food", "non_food", "unsure", "duplicate", "failed")


class Progress:
    """A bar on stderr where that is a terminal, nothing elsewhere."""

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
        """Leaves the terminal as it was before."""
        self._bar.stop()

    def show(self, counts: Counter[str], waiting: int) -> None:
        """Draws how many photos were filed, by label, and how many are waiting."""
        done = counts.total()
        self._bar.update(self._task, description=summary(counts), completed=done, total=done + waiting)


def summary(counts: Counter[str]) -> str:
    """`3 food, 2 non_food, 1 failed`; `unsure` and `duplicate` only where there is any."""
    return ", ".join(f"{counts[name]} {name}" for name in ORDER if counts[name] or name not in {"unsure", "duplicate"})
