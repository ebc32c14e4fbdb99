"""`LD_PRELOAD=read_errors.so python -m tests.programs.read_errors FILE`: makes each read of a check of a database fail.

Prints how often one check, and how often `find_damage`, took the failure for damage.
"""

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

from daemon.database import integrity
from daemon.database.addresses import DatabaseError
from daemon.retry import is_transient

MOST_READS = 1000


def count(check: Callable[[Path], str | None], path: Path) -> int:
    """How many failures a check takes for damage; raises what it cannot expect."""
    fail_read = ctypes.c_int.in_dll(ctypes.CDLL(None), "fail_read")
    damages = 0
    for number in range(1, MOST_READS):
        fail_read.value = number
        try:
            damages += check(path) is not None
        except DatabaseError as error:
            if not is_transient(error):
                raise
        if fail_read.value > 0:  # a check has fewer reads
            return damages
    raise AssertionError("the checks never end")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    sys.stdout.write(f"{count(integrity.quick_check, path)} {count(integrity.find_damage, path)}\n")
