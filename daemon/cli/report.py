"""Prints the results of an action on photos."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from models.cli import discard_output
from models.errors import FoodsortError
from models.filenames import escape_name
from models.plurals import is_or_are, plural

if TYPE_CHECKING:
    from daemon.actions.result import ActionResult
    from daemon.queries.arguments import PathArgument
    from daemon.queries.photo_rows import Photo


class ActionReport:
    """Prints one line a photo, and counts."""

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._done = 0
        self._problems = 0
        self._output_error: OSError | None = None

    def select(
        self, paths: "Iterable[PathArgument]", by_path: "Callable[[PathArgument], list[Photo]]"
    ) -> "list[Photo]":
        """The photos at the paths, each once; prints an error for a path without one."""
        selected: dict[int, Photo] = {}
        for path in paths:
            try:
                selected |= {photo.id: photo for photo in by_path(path)}
            except FoodsortError as error:
                self._print_problem(str(error))
        return list(selected.values())

    def show(self, results: "Iterable[ActionResult]") -> None:
        """Prints and counts each result as it comes."""
        for result in results:
            if self._show_one(result):
                self._done += 1

    def show_recovered(self, _action: str, result: "ActionResult") -> None:
        """Prints the result of a photo that a killed call left on its way. It does not count as done."""
        self._show_one(result)

    def finish(self, outcome: str, failure: str = "moved") -> None:
        """Prints the totals; exits with code 1 if there was a problem or not all could be printed.

        Args:
            outcome: Past participle for the photos that were changed, such as "deleted".
            failure: Past participle for the other photos, after "could not be", such as "deleted".
        """
        verb = "would be" if self._dry_run else is_or_are(self._done)
        problems = f"; {self._problems} could not be {failure}" if self._problems else ""
        totals = f"{self._done} {plural(self._done, 'photo')} {verb} {outcome}{problems}"
        self._print(totals)
        if self._output_error is not None and not isinstance(self._output_error, BrokenPipeError):
            raise FoodsortError(f"{totals}, but not all could be printed: {self._output_error.strerror}")
        if self._problems or self._output_error:
            raise typer.Exit(1)

    def _show_one(self, result: "ActionResult") -> bool:
        """Prints a result; returns whether the action succeeded."""
        path = escape_name(result.photo.path)
        if result.problem:
            self._print_problem(f"{path} {result.problem}")
            return False
        has_moved = result.place != result.photo.path
        self._print(f"{path} → {escape_name(result.place)}" if has_moved else escape_name(result.place))
        return True

    def _print_problem(self, message: str) -> None:
        self._problems += 1
        self._print(f"foodsort: {message}", err=True)

    def _print(self, line: str, *, err: bool = False) -> None:
        """Prints a line. If that fails, the action goes on, and `finish` raises the error."""
        try:
            typer.echo(line, err=err)
        except OSError as error:
            self._output_error = error
            discard_output(sys.stderr if err else sys.stdout)
