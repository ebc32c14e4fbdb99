import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.learning import jobs
from daemon.learning.jobs import ERRORS, FOLDER, STATE, JobRunning, Jobs, JobStatus
from daemon.registry.promotions import models_folder
from daemon.settings import FolderSettings
from models.errors import FoodsortError
from tests.daemon.conftest import Foodsort, Photo, until

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root in which a daemon has sorted a photo, which nobody has labelled."""
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


@pytest.fixture
def command(sorted_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Replaces the command of a job by one that waits for a file, prints its niceness, and ends with 3; returns the file."""
    end = sorted_root / "end"
    wait = (
        "import json, os, sys, time\n"
        f"while not os.path.exists({str(end)!r}): time.sleep(0.02)\n"
        "print(json.dumps({'nice': os.nice(0)})); print('foodsort: a.jpg was left out', file=sys.stderr); sys.exit(3)"
    )
    monkeypatch.setattr(jobs, "_command", lambda kind, root, batch: (sys.executable, "-c", wait))
    yield end
    end.touch()


def of(root: Path) -> Jobs:
    return Jobs(root, FolderSettings())


def ended(root: Path) -> JobStatus:
    """The newest job once it has ended."""
    until(lambda: not status(root).running)
    return status(root)


def status(root: Path) -> JobStatus:
    found = of(root).status()
    assert found is not None
    return found


def processes(root: Path) -> list[int]:
    """The processes of a root's job by their ids: the one that waits, and its command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(root) in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)


def test_a_root_without_jobs_has_no_status(sorted_root: Path) -> None:
    assert of(sorted_root).status() is None


def test_a_command_runs_to_its_end_and_its_error_is_kept(sorted_root: Path) -> None:
    job = of(sorted_root).start("learn")
    assert job.command[1:] == ("-m", "daemon", "learn", "--format", "json", "--root", str(sorted_root))
    done = ended(sorted_root)
    assert (done.job.kind, done.job.exit_code, done.result) == ("learn", 1, None)
    assert done.problem.startswith("nobody has labelled a photo")
    assert done.job.ended_at
    assert done.job.ended_at > done.job.started_at


def test_undo_names_the_batch_and_its_text_is_the_summary(sorted_root: Path) -> None:
    job = of(sorted_root).start("undo", batch=1)
    assert job.command[3:] == ("undo", "--batch", "1", "--root", str(sorted_root))
    done = ended(sorted_root)
    assert (done.job.exit_code, done.problem) == (0, "")
    assert done.summary == "1 photo is back in the inbox, to stay there until `foodsort retry PATH`"


def test_one_job_runs_at_a_time_and_another_page_sees_it(sorted_root: Path, command: Path) -> None:
    of(sorted_root).start("preview")
    assert status(sorted_root).running
    with pytest.raises(JobRunning, match="another job of this root is running"):
        of(sorted_root).start("learn")
    command.touch()
    done = ended(sorted_root)
    assert (done.job.kind, done.job.exit_code) == ("preview", 3)
    assert (done.result, done.problem) == ({"nice": 10 + os.nice(0)}, "a.jpg was left out")
    of(sorted_root).start("learn")
    assert ended(sorted_root).job.kind == "learn"


def test_a_job_outlives_the_process_that_started_it(sorted_root: Path, command: Path) -> None:
    start = "import sys; from pathlib import Path; from daemon.learning.jobs import Jobs; from daemon.settings import"
    start += " FolderSettings; import daemon.learning.jobs as jobs; jobs._command = lambda *_: tuple(sys.argv[2:]);"
    start += " Jobs(Path(sys.argv[1]), FolderSettings()).start('resort')"
    words = jobs._command("resort", sorted_root, None)
    subprocess.run([sys.executable, "-c", start, str(sorted_root), *words], check=True)
    assert status(sorted_root).running
    command.touch()
    assert ended(sorted_root).job.exit_code == 3


def test_the_command_of_a_killed_job_keeps_the_lock(sorted_root: Path, command: Path) -> None:
    of(sorted_root).start("resort")
    until(lambda: len(processes(sorted_root)) == 2)
    waiting, running = processes(sorted_root)
    os.kill(waiting, signal.SIGKILL)
    assert status(sorted_root).running
    with pytest.raises(JobRunning):
        of(sorted_root).start("resort")
    os.kill(running, signal.SIGKILL)
    done = ended(sorted_root)
    assert done.job.exit_code is None
    assert done.problem.startswith("it ended early, or was killed")


def test_a_damaged_state_is_no_job_and_another_one_can_be_started(sorted_root: Path) -> None:
    folder = models_folder(sorted_root) / FOLDER
    folder.mkdir(parents=True)
    (folder / STATE).write_bytes(b"{")
    assert of(sorted_root).status() is None
    of(sorted_root).start("learn")
    assert ended(sorted_root).problem


def test_the_files_of_the_last_job_are_replaced_and_not_followed(sorted_root: Path, tmp_path: Path) -> None:
    folder, kept = models_folder(sorted_root) / FOLDER, tmp_path / "kept"
    folder.mkdir(parents=True)
    kept.write_text("kept")
    (folder / ERRORS).symlink_to(kept)
    of(sorted_root).start("learn")
    assert ended(sorted_root).problem
    assert kept.read_text() == "kept"


def test_a_folder_that_cannot_be_used_is_reported(root: Path, sorted_root: Path) -> None:
    models_folder(sorted_root).mkdir()
    (models_folder(sorted_root) / FOLDER).write_bytes(b"")
    with pytest.raises(FoodsortError, match=r"models/jobs cannot be used: .*nothing was started"):
        of(sorted_root).start("learn")


def test_a_root_without_a_daemon_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FoodsortError, match="cannot be used"):
        of(tmp_path).start("learn")
