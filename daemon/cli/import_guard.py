"""Guards the plain import names: another package's `daemon` or `models` in the same environment is told, not run."""

import importlib
import sys

NAMES = ("daemon", "models", "training")


def check() -> None:
    """Ends the process with exit code 1 when one of foodsort's import names is somebody else's package.

    PyPI's python-daemon, for one, brings a `daemon`; installed together, one overwrites the other's files.
    """
    for name in NAMES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            sys.exit(f"foodsort: its package {name} cannot be imported ({error}); install foodsort anew")
        if getattr(module, "OWNER", None) != "foodsort":
            sys.exit(
                f"foodsort: the package {name} at {module.__file__} is not foodsort's; "
                "install foodsort into a virtual environment of its own"
            )
