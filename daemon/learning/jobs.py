"""Commands that the review page starts for a root, one at a time: each in a process of its own that outlives the page.

The state of the newest one is in `models/jobs/` of the root. Its processes share a lock on a file there, which ends with
the last of them, so a job that was killed is never taken for a running one, and no second page starts another beside it.
"""

import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from daemon.database.timestamps import format_time
from daemon.fs.part import replace_file
from daemon.inbox.owner import require_daemon_user
from daemon.registry.promotions import models_folder
from daemon.settings import FolderSettings
from models.errors import FoodsortError

FOLDER = "jobs"
"""Folder of the jobs in that of the models."""
STATE, OUTPUT, ERRORS = "job.json", "output", "errors"
_LOCK = "lock"
_ATTEMPTS = 10
_MOST_BYTES = 4 << 20
"""Largest part of the output and of the errors that is read."""

JobKind = Literal["learn", "learn_and_promote", "preview", "resort", "undo"]
"""What a job does: make a candidate; also put it live unless its verdict forbids it; judge sorted photos again; also move
those with another label; move them back."""


class JobRunning(FoodsortError):
    """Raised when another job of the root is running."""


class Job(BaseModel):
    """The newest job of a root.

    Attributes:
        kind: What it does.
        command: Its command line.
        started_at: Time as in the database.
        ended_at: Likewise; None while it is running, and if it was killed.
        exit_code: None likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: JobKind
    command: tuple[str, ...]
    started_at: str
    ended_at: str | None = None
    exit_code: int | None = None


class JobStatus(BaseModel):
    """A job as it is now.

    Attributes:
        job: The job.
        running: Whether one of its processes is alive.
        result: The JSON object that it printed; None if it has printed none.
        summary: The last line of its output, if that is text.
        problem: Why it failed; empty if it did not.
    """

    model_config = ConfigDict(frozen=True)

    job: Job
    running: bool
    result: dict[str, Any] | None = None
    summary: str = ""
    problem: str = ""


class Jobs:
    """Starts and observes the jobs of a root. Any thread and any process may do so."""

    def __init__(self, root: Path, folders: FolderSettings) -> None:
        """Opens nothing yet."""
        self._root = root.absolute()
        self._inbox = self._root / folders.inbox
        self._folder = models_folder(root) / FOLDER

    def start(self, kind: JobKind, batch: int | None = None) -> Job:
        """Starts a job.

        Args:
            kind: What it does.
            batch: The batch of re-sorted photos that is undone.

        Raises:
            JobRunning: Another one is running.
            FoodsortError: Another user sorts photos here, or the folder cannot be used.
        """
        job = Job(kind=kind, command=_command(kind, self._root, batch), started_at=format_time(datetime.now(UTC)))
        try:
            require_daemon_user(self._inbox)
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._locked() as lock:
                for name in (OUTPUT, ERRORS):  # those of the last job
                    (self._folder / name).unlink(missing_ok=True)
                write_state(self._folder, job)
                self._spawn(lock)
        except BlockingIOError:
            raise JobRunning("another job of this root is running; wait until it is done") from None
        except OSError as error:
            where = error.filename or self._folder
            raise FoodsortError(f"{where} cannot be used: {error.strerror}; nothing was started") from error
        return job

    def status(self) -> JobStatus | None:
        """The newest job; None if there was none, or its state cannot be read."""
        # In this order: a job that ends between the two has its exit code.
        running = self._is_running()
        try:
            job = Job.model_validate_json((self._folder / STATE).read_bytes())
        except (OSError, ValidationError):
            return None
        if running:
            return JobStatus(job=job, running=True)
        output = self._read(OUTPUT)
        result = _parse(output)
        lines = [] if result else output.splitlines()[-1:]
        return JobStatus(job=job, running=False, result=result, summary="".join(lines), problem=self._problem(job))

    def _spawn(self, lock: int) -> None:
        """Starts the process that runs the command and waits for it."""
        words = [sys.executable, "-m", "daemon.learning.job_process", str(self._folder)]
        with subprocess.Popen(
            words,
            pass_fds=[lock],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the page ends the page alone
        ) as first:
            first.wait()  # until it has left a process of its own, so that none becomes a zombie of the page

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Holds the lock; processes that inherit the descriptor hold it on. Raises OSError."""
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _lock(lock)
            yield lock
        finally:
            os.close(lock)

    def _is_running(self) -> bool:
        try:
            lock = os.open(self._folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a filesystem without locks
            return False
        finally:
            os.close(lock)
        return False

    def _problem(self, job: Job) -> str:
        """The last error of a job that failed; a job may also have a result and report photos that it left out."""
        if job.exit_code == 0:
            return ""
        # Lines without a letter are the frames of messages about usage.
        errors = [line for line in self._read(ERRORS).splitlines() if re.search(r"\w", line)]
        lines = [line.strip().removeprefix("foodsort: ") for line in errors]
        if job.exit_code is None:
            again = shlex.join(_for_people(job.command))
            return f"it ended early, or was killed; start it again, or run `{again}` in a terminal to see why"
        return lines[-1] if lines else f"it ended with exit code {job.exit_code}"

    def _read(self, name: str) -> str:
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_MOST_BYTES).decode(errors="replace")
        except OSError:
            return ""


def _lock(fd: int) -> None:
    """Takes the lock. Raises BlockingIOError if a job holds it; one who looks at it holds it for a moment only."""
    for pause_s in (*(_ATTEMPTS - 1) * [0.02], 0):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not pause_s:
                raise
            time.sleep(pause_s)
        else:
            return


def write_state(folder: Path, job: Job) -> None:
    """Replaces the state of the newest job at once. Raises OSError."""
    replace_file(folder / STATE, job.model_dump_json().encode())


def _command(kind: JobKind, root: Path, batch: int | None) -> tuple[str, ...]:
    words = {
        "learn": ("learn", "--format", "json"),
        "learn_and_promote": ("learn", "--promote", "--format", "json"),
        "preview": ("reclassify", "--format", "json", "--dry-run"),
        "resort": ("reclassify", "--format", "json"),
        "undo": ("undo", "--batch", str(batch)),
    }[kind]
    return (sys.executable, "-m", "daemon", *words, "--root", str(root))


def _parse(output: str) -> dict[str, Any] | None:
    """The JSON object of an output; None if it is none."""
    try:
        document = json.loads(output)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _for_people(command: Sequence[str]) -> list[str]:
    """The command as a person enters it."""
    return ["foodsort", *command[3:]]
