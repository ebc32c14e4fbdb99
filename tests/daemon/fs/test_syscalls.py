"""A call of each kind fails somewhere in the daemon or in a command: no photo is lost or doubled, each keeps one row."""

import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo
from tests.daemon.processes import kill_run_at
from tests.programs.audit import Audit
from tests.programs.syscalls import FAULTS, Commands, Fault, Syscalls, commands

pytestmark = [pytest.mark.slow, pytest.mark.system]

LAYOUTS = ("same", "xdev", "nolink", "xdev-nolink")
"""`xdev`: the destinations are on another filesystem. `nolink`: there is no RENAME_NOREPLACE, but links."""

SAMPLES = int(os.environ.get("FOODSORT_TEST_SAMPLES", "1"))
"""Faults of each kind in each run. A seed chooses the calls."""

WEIGHTS = {"done": 2, "kill": 2}
"""How much more often a kind of fault is tried in a command."""

FOLDERS = ("food", "non_food", "failed")


@pytest.fixture(scope="module")
def syscalls(tmp_path_factory: pytest.TempPathFactory) -> Syscalls:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is installed (Debian's packages gcc and libc6-dev)")
    return Syscalls(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def process(syscalls: Syscalls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(syscalls, tmp_path_factory.mktemp("commands") / "output") as process:
        yield process


class Lab:
    """A root of one layout with four photos and two companions, made anew for each fault."""

    def __init__(self, root: Path, away: Path, photo: Photo, process: Commands, layout: str) -> None:
        self.root = root
        self.layout = layout
        self._folders = [root, away] if "xdev" in layout else [root]
        self._photo = photo
        self._process = process
        self._saved = root.with_name("saved")
        self.photos: list[bytes] = []
        destinations = tuple(self._folders[-1] / name for name in FOLDERS)
        self.audit = Audit(root, destinations)
        settings = (f'{name} = "{folder}"\n' for name, folder in zip(FOLDERS, destinations, strict=True))
        (root / "foodsort.toml").write_text("".join(["[folders]\n", *settings]))

    def drop(self) -> None:
        """Puts photos of both kinds, a broken one, one of the same bytes as another, and companions into the inbox."""
        food, other = (self._photo(label) for label in ("food", "non_food"))
        new = {
            "a.jpg": food,
            "trip/b.jpg": other,
            "trip/a.jpg": food,
            "cut.jpg": self._photo(size=256)[:1000],
            "trip/b.mov": b"the video of b.jpg",
            "cut.xmp": b"the sidecar of cut.jpg",
        }
        for name, data in new.items():
            path = self.root / "inbox" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        self.photos += new.values()

    def run(self, *words: str | Path, fault: Fault | None = None, failpoint: str = "") -> tuple[int, str]:
        command, *others = words
        return self._process.run(command, "--root", self.root, *others, fault=fault, failpoint=failpoint)

    def places(self, *states: str) -> list[Path]:
        return [row.path for row in self.audit.rows() if row.state in states]

    def save(self) -> None:
        """Keeps the root as it is, for `restore`."""
        for number, folder in enumerate(self._folders):
            shutil.copytree(folder, self._saved / str(number))

    def restore(self) -> None:
        """Brings the saved root back, with the inodes of the new files in their rows."""
        for number, folder in enumerate(self._folders):
            shutil.rmtree(folder)
            shutil.copytree(self._saved / str(number), folder)
        if not (self.root / "foodsort.db").exists():
            return
        with closing(sqlite3.connect(self.root / "foodsort.db")) as database, database:
            for table in ("photos", "companions"):
                self._identify(database, table)

    def _identify(self, database: sqlite3.Connection, table: str) -> None:
        rows = database.execute(f"SELECT id, path_bytes, generation, inbox_path_bytes FROM {table}").fetchall()
        for number, path, run_id, inbox_path in rows:
            claimed = self.root / "inbox/.foodsort/claimed" / run_id / os.fsdecode(inbox_path)
            for place in (self.root / os.fsdecode(path), claimed):
                if place.exists():
                    stat = place.stat()
                    identity = f"{stat.st_dev}:{stat.st_ino}"
                    database.execute(f"UPDATE {table} SET identity = ? WHERE id = ?", (identity, number))


@pytest.fixture(params=LAYOUTS)
def lab(
    request: pytest.FixtureRequest, root: Path, elsewhere: Path, photo: Photo, syscalls: Syscalls, process: Commands
) -> Lab:
    layout: str = request.param
    away = elsewhere / "photos"
    away.mkdir()
    syscalls.concern(root, away, plain="nolink" in layout)
    return Lab(root, away, photo, process, layout)


def sample(counts: dict[str, int], seed: str, weights: dict[str, int]) -> list[Fault]:
    """Faults of each kind at random calls; each kind of call is as likely as the others."""
    chosen = []
    for kind, calls in FAULTS.items():
        generator = random.Random(f"{seed} {kind}")
        possible = [call for call in calls if counts[call]]
        for _ in range(SAMPLES * weights.get(kind, 1) if possible else 0):
            call = generator.choice(possible)
            chosen.append(Fault(kind, call, generator.randint(1, counts[call])))
    return chosen


def survive(lab: Lab, words: list[str | Path], fault: Fault, syscalls: Syscalls) -> list[str]:
    """Runs a command with a fault, and again without one if there is something left to do; returns what is wrong then."""
    lab.restore()
    _, output = lab.run(*words, fault=fault)
    where = syscalls.where
    problems = ["it ended with a traceback: " + output.splitlines()[-1]] if "Traceback" in output else []
    if lab.audit.problems(lab.photos):
        lab.run(*words)
        problems += lab.audit.problems(lab.photos)
    return [f"{words[0]}, {fault} at {where}: {problem}" for problem in problems if where]


def sweep(lab: Lab, words: list[str | Path], seed: str, weights: dict[str, int], syscalls: Syscalls) -> list[str]:
    """Runs a command without a fault, and counts its calls; then with faults at some of them."""
    lab.restore()
    code, output = lab.run(*words)
    assert code == 0, output
    assert lab.audit.problems(lab.photos) == []
    faults = sample(syscalls.counts, f"{seed} {words[0]} {lab.layout}", weights)
    return [problem for fault in faults for problem in survive(lab, words, fault, syscalls)]


@pytest.mark.parametrize("crashed", [False, True])
def test_a_call_that_fails_in_the_daemon(lab: Lab, syscalls: Syscalls, *, crashed: bool) -> None:
    """crashed: an earlier daemon was killed; rows are written and photos claimed."""
    lab.drop()
    if crashed:
        kill_run_at(lab.root, "moved:2")
    lab.save()
    assert sweep(lab, ["run", "--once"], str(crashed), {}, syscalls) == []


def test_a_call_that_fails_in_a_command(lab: Lab, syscalls: Syscalls) -> None:
    problems = [problem for words in actions(lab) for problem in sweep(lab, words, "", WEIGHTS, syscalls)]
    assert problems == []


def test_an_action_that_is_killed_at_any_failpoint(lab: Lab) -> None:
    points = ["begun", "taken", "unexplained", "arrived", "arrived:2"]
    points += ["copied", "named"] if "xdev" in lab.layout else []
    points += ["linked"] if "nolink" in lab.layout else []
    passed = set()
    problems = []
    for words in actions(lab):
        for point in points:
            lab.restore()
            code, _ = lab.run(*words, failpoint=point)
            if code != -signal.SIGKILL:
                continue  # this action does not pass the point
            passed.add(point)
            lab.run(*words)
            problems += [f"{words[0]}, killed at {point}: {problem}" for problem in lab.audit.problems(lab.photos)]
    assert problems == []
    assert passed == set(points)


def actions(lab: Lab) -> list[list[str | Path]]:
    """Sorts the photos; returns the words of each action on them."""
    lab.drop()
    code, output = lab.run("run", "--once")
    assert code == 0, output
    lab.save()
    filed, failed = lab.places("filed"), lab.places("failed")
    return [
        ["undo", *filed, *failed],
        ["correct", "--label", "non_food", *filed],
        ["retry"],
        ["delete", "--yes", *failed],
    ]
