"""`foodsort run` whose PostgreSQL server crashes at every fourth commit on average, before it or right after it:
`crashing_commits.py SEED -m daemon run --root ROOT`. Each crash is a line of `crashes.txt` in the root.
"""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.default import DefaultDialect

from daemon.cli import app

_generator = random.Random(int(sys.argv[1]))
_root = Path(sys.argv[-1])


def _commit(_: DefaultDialect, connection: Any) -> None:
    crash = _generator.choice(["before", "after", *[""] * 6])
    if crash != "before":
        connection.commit()
    if crash:
        with (_root / "crashes.txt").open("a") as file:
            file.write(f"{crash}\n")
        os.kill(
            connection.dbapi_connection.info.backend_pid, signal.SIGKILL
        )  # the server ends all other connections and recovers
        connection.execute("SELECT 1")  # fails


PGDialect_psycopg.do_commit = _commit  # type: ignore[method-assign]
sys.argv = ["foodsort", *sys.argv[sys.argv.index("run") :]]
app()
