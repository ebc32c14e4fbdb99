"""The base of all command lines: errors are one line on stderr, without a traceback."""

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
    """A command line whose errors are one line on stderr.

    Exit code 1: the command could not be carried out; 2: its arguments or the settings are wrong.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the command line of the process."""
        # Pillow's warnings about a photo's tags name no file, and the photo is decoded all the same.
        warnings.filterwarnings("ignore", module="PIL")
        _prepare_streams()
        try:
            try:
                return super().__call__(*args, **kwargs)
            finally:
                sys.stdout.flush()  # an error at the exit of the interpreter could not be reported like this
        except FoodsortError as error:
            _print_error(str(error))
            sys.exit(error.exit_code)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            sys.stderr.write(
                f"foodsort: this command needs the package {package}; install it with: {_pip_command(package)}\n"
            )
            sys.exit(1)
        except BrokenPipeError:  # the reader of our output has closed it, like `head`
            discard_output(sys.stdout)
            sys.exit(1)
        except OSError as error:
            discard_output(sys.stdout)
            filename = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
            _print_error(f"{error.strerror or error}{filename}")
            sys.exit(1)


def _pip_command(package: str) -> str:
    """The pip command that installs a package, by the extra of foodsort that has it."""
    try:
        requirements = requires("foodsort") or []
    except PackageNotFoundError:
        requirements = []
    commands = []
    for line in requirements:
        name, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if re.match(r"[\w-]+", name.strip())[0].lower() == package.lower() and extra:  # type: ignore[index]
            commands.append(f"pip install 'foodsort[{extra[1]}]'")
    return " or ".join(commands) or "pip install foodsort"


def discard_output(stream: TextIO) -> None:
    """Sends a stream that cannot be written to /dev/null, so that its buffer raises no error when the process ends."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _prepare_streams() -> None:
    """Makes output streams escape characters that they cannot encode, and replaces closed streams by /dev/null.

    A database would get the descriptor numbers of closed streams otherwise.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It gets the lowest free descriptor, which is that of the closed stream.
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors=ESCAPE_ERRORS)


def _print_error(message: str) -> None:
    lines = "\n".join(map(escape_control_characters, message.split("\n")))  # it may have file names from anywhere
    sys.stderr.write(f"foodsort: {lines}\n")
