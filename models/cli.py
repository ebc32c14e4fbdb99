"""What the command lines of all rooms have in common: they say what went wrong instead of showing where."""

import io
import os
import re
import sys
import warnings
from importlib.metadata import PackageNotFoundError, requires
from typing import Any, TextIO

import typer

from models.errors import FoodsortError
from models.filenames import ESCAPE_ERRORS, escape_control_characters


class CommandLine(typer.Typer):
    """A command line whose errors are one line on stderr. Exit code 1: could not be done; 2: wrong words or settings."""

    def __call__(self, *words: Any, **options: Any) -> Any:
        """Runs the command line of the process."""
        # What Pillow warns of in a photo's tags does not keep it from being decoded, and names no file.
        warnings.filterwarnings("ignore", module="PIL")
        _prepare_streams()
        try:
            try:
                return super().__call__(*words, **options)
            finally:
                sys.stdout.flush()  # what fails at the very end of the process can't be told as it should
        except FoodsortError as error:
            _tell(str(error))
            sys.exit(error.exit_code)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            sys.stderr.write(f"foodsort: this needs the package {package}; {_brought(package)} brings it\n")
            sys.exit(1)
        except BrokenPipeError:  # who read our output has seen enough
            leave(sys.stdout)
            sys.exit(1)
        except OSError as error:
            leave(sys.stdout)
            where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
            _tell(f"{error.strerror or error}{where}")
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


def leave(stream: TextIO) -> None:
    """Has nothing more written to a stream if that fails, not even what is in its buffer when the process ends."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _prepare_streams() -> None:
    """Has streams take any name; those that the caller has closed lead nowhere, else a database would get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115  # its number is the lowest that is free
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    for written in (sys.stdout, sys.stderr):
        if isinstance(written, io.TextIOWrapper):
            written.reconfigure(errors=ESCAPE_ERRORS)


def _tell(message: str) -> None:
    lines = "\n".join(map(escape_control_characters, message.split("\n")))  # names in it may have come from anywhere
    sys.stderr.write(f"foodsort: {lines}\n")
