"""What the command lines of all rooms have in common: they say what went wrong instead of showing where."""

import sys
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
            sys.stderr.write(
                f"foodsort: this needs the package {error.name}; pip install 'foodsort[training]' brings it\n"
            )
            sys.exit(1)
        except OSError as error:
            sys.stderr.write(f"foodsort: {error.strerror or error}{f': {error.filename}' if error.filename else ''}\n")
            sys.exit(1)
