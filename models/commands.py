"""What the command lines of all rooms have in common: they say what went wrong instead of showing where."""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import typer

from models.errors import FoodsortError


class Commands(typer.Typer):
    """A command line whose errors are one line on stderr. Exit code 1: could not be done; 2: wrong words or settings."""

    def __call__(self, *words: Any, **options: Any) -> Any:
        """Runs the command line of the process."""
        try:
            return super().__call__(*words, **options)
        except FoodsortError as error:
            sys.stderr.write(f"foodsort: {error}\n")
            sys.exit(error.exit_code)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            sys.stderr.write(f"foodsort: this needs the package {package}; {_brought(package)} brings it\n")
            sys.exit(1)
        except OSError as error:
            sys.stderr.write(f"foodsort: {error.strerror or error}{f': {error.filename}' if error.filename else ''}\n")
            sys.exit(1)


def _brought(package: str) -> str:
    """The pip command that brings a package, by the extra that names it."""
    try:
        needed = requires("foodsort") or []
    except PackageNotFoundError:
        needed = []
    extras = []
    for line in needed:
        name, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if re.match(r"[\w-]+", name.strip())[0].lower() == package.lower() and extra:  # type: ignore[index]
            extras.append(f"pip install 'foodsort[{extra[1]}]'")
    return " or ".join(extras) or "pip install foodsort"
