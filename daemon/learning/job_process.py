"""`python -m daemon.learning.job_process FOLDER`: runs the command of a job, and writes its exit code to its state.

It inherits the lock of the jobs, and hands it on to the command: the job is running until both have ended.
"""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from daemon.database.timestamps import format_time
from daemon.learning.jobs import ERRORS, OUTPUT, STATE, Job, write_state

NICE = 10
"""Niceness of a job: the daemon and the page come first."""


def main() -> None:
    """Leaves a process that runs the job, and returns."""
    folder = Path(sys.argv[1])
    if os.fork() == 0:
        run(folder)


def run(folder: Path) -> None:
    """Runs the job whose state is in a folder."""
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(NICE)
    job = Job.model_validate_json((folder / STATE).read_bytes())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC  # the files of the last job were removed
    output, errors = (os.open(folder / name, flags, 0o600) for name in (OUTPUT, ERRORS))
    done = subprocess.run(
        job.command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, close_fds=False, check=False
    )
    ended = {"exit_code": done.returncode, "ended_at": format_time(datetime.now(UTC))}
    write_state(folder, job.model_copy(update=ended))


if __name__ == "__main__":
    main()
