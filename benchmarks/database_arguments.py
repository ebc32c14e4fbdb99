"""The command line of the benchmarks that measure a synthetic database."""

import argparse
from pathlib import Path
from typing import NamedTuple

MIN_ROWS = 10_000


class DatabaseArguments(NamedTuple):
    """The arguments of such a benchmark.

    Attributes:
        rows: Photos in the database.
        repeats: Measurements after a first one.
        folder: Folder for the databases; None for the system's temporary folder.
    """

    rows: int
    repeats: int
    folder: Path | None


def parse_arguments(module: str, description: str | None, *, repeats: int, repeats_help: str) -> DatabaseArguments:
    """Parses the command line; exits with code 2 if it is not valid.

    Args:
        module: Name of the benchmark's module.
        description: Description of the benchmark.
        repeats: Default of `--repeats`.
        repeats_help: The unit that `--repeats` counts, such as "requests of each page".
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--rows", type=int, default=1_000_000, help="photos in the database (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=repeats, help=f"{repeats_help} after a first one (default: %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="folder for the databases (default: the system's temporary folder)")
    arguments = DatabaseArguments(**vars(parser.parse_args()))
    if arguments.rows < MIN_ROWS or arguments.repeats < 1:
        parser.error(f"--rows must be at least {MIN_ROWS}, --repeats at least 1")
    return arguments
