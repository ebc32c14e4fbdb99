"""Refuses to run if another package owns one of foodsort's plain import names in this environment."""

import importlib
import sys

NAMES = ("daemon", "models", "training")


def check() -> None:
    """Exits with code 1 if one of foodsort's import names belongs to another package.

    PyPI's python-daemon, for example, has a `daemon`; if both are installed, one overwrites the other's files.
    """
    for name in NAMES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            sys.exit(f"foodsort: its package {name} cannot be imported ({error}); reinstall foodsort")
        if getattr(module, "OWNER", None) != "foodsort":
            sys.exit(
                f"foodsort: the package {name} at {module.__file__} is not foodsort's; "
                "install foodsort into a virtual environment of its own"
            )
