from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.database import connections
from daemon.database.addresses import DatabaseError
from daemon.learning.jobs import Job, JobKind, Jobs, JobStatus
from daemon.service import auto_learning
from daemon.service.auto_learning import AutoLearning
from daemon.settings import Settings, load
from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.learned_models import add_model
from tests.daemon.rows import execute, select

pytestmark = pytest.mark.slow


class Recorded:
    """The jobs that were started, in the place of their processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kinds: list[JobKind] = []
        self.status: JobStatus | None = None
        monkeypatch.setattr(auto_learning, "EVERY_S", 0.0)
        monkeypatch.setattr(Jobs, "status", lambda jobs: self.status)
        monkeypatch.setattr(Jobs, "start", lambda jobs, kind: self._start(kind))

    def _start(self, kind: JobKind) -> None:
        self.kinds.append(kind)
        self.status = JobStatus(job=Job(kind=kind, command=(), started_at="2999-01-01T00:00:00.000000Z"), running=True)

    def end(self, problem: str = "", started_at: str = "2000-01-01T00:00:00.000000Z") -> None:
        assert self.status
        job = self.status.job.model_copy(update={"started_at": started_at})
        self.status = JobStatus(job=job, running=False, problem=problem)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return Recorded(monkeypatch)


@pytest.fixture
def labelled(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with 40 sorted photos, all labelled."""
    for shade in range(40):
        (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=5 * shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert foodsort("correct", "--root", root, "food", "--label", "food")[0] == 0
    return root


def with_learning(root: Path, auto: str, every: int) -> Settings:
    (root / "foodsort.toml").write_text(f'[learn]\nauto = "{auto}"\nevery = {every}\n')
    return load(root)


def free_photos(root: Path) -> int:
    (row,) = select(root, "SELECT count(*) AS n FROM photos WHERE sha256 >= '3'")
    return int(row["n"])


@pytest.mark.parametrize(("auto", "kind"), [("candidate", "learn"), ("promote", "learn_and_promote")])
def test_enough_labels_of_photos_that_are_not_reserved_start_a_job(
    labelled: Path, jobs: Recorded, auto: str, kind: JobKind
) -> None:
    learning = AutoLearning(labelled, pytest.fail)
    learning.tick(with_learning(labelled, auto, free_photos(labelled) + 1), idle=True)
    assert jobs.kinds == []
    settings = with_learning(labelled, auto, free_photos(labelled))
    learning.tick(settings, idle=False)  # photos wait
    assert jobs.kinds == []
    learning.tick(settings, idle=True)
    learning.tick(settings, idle=True)  # it is running
    assert jobs.kinds == [kind]


def test_without_the_setting_nothing_is_started(labelled: Path, jobs: Recorded) -> None:
    AutoLearning(labelled, pytest.fail).tick(with_learning(labelled, "never", 1), idle=True)
    assert jobs.kinds == []


def test_labels_before_the_newest_candidate_or_the_last_attempt_do_not_count(labelled: Path, jobs: Recorded) -> None:
    settings = with_learning(labelled, "candidate", 1)
    problems: list[str] = []
    learning = AutoLearning(labelled, problems.append)
    learning.tick(settings, idle=True)
    jobs.end("the disk is full", started_at="2999-01-01T00:00:00.000000Z")
    learning.tick(settings, idle=True)
    learning.tick(settings, idle=True)
    assert (len(jobs.kinds), problems) == (1, ["the disk is full"])

    jobs.status = None
    add_model(labelled, 1)
    learning.tick(settings, idle=True)
    assert len(jobs.kinds) == 1
    execute(labelled, "UPDATE reviews SET reviewed_at = '2999-01-01T00:00:00.000000Z'")
    learning.tick(settings, idle=True)
    assert len(jobs.kinds) == 2


def test_a_database_that_is_away_is_asked_again(
    labelled: Path, jobs: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect: Callable[..., object] = connections.connect_to_read

    def away(address: object) -> None:
        raise DatabaseError("the database is away")

    learning = AutoLearning(labelled, pytest.fail)
    settings = with_learning(labelled, "candidate", 1)
    monkeypatch.setattr(connections, "connect_to_read", away)
    learning.tick(settings, idle=True)
    assert jobs.kinds == []
    monkeypatch.setattr(connections, "connect_to_read", connect)
    learning.tick(settings, idle=True)
    assert jobs.kinds == ["learn"]


def test_a_daemon_that_is_at_work_is_asked_again_at_once(
    labelled: Path, jobs: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_learning, "EVERY_S", 60.0)
    learning = AutoLearning(labelled, pytest.fail)
    settings = with_learning(labelled, "candidate", 1)
    learning.tick(settings, idle=False)
    learning.tick(settings, idle=True)
    learning.tick(settings, idle=True)
    assert jobs.kinds == ["learn"]
