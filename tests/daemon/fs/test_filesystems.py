"""The same photos on each filesystem: sorted, killed, undone, corrected, retried, deleted, and a full disk."""

import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, Photo, running, status, until
from tests.daemon.processes import kill_run_at
from tests.programs.audit import Audit, Row
from tests.programs.mounts import KINDS, Kind, Unavailable, own_namespace

pytestmark = [pytest.mark.slow, pytest.mark.system]

MTIME_S = 1_600_000_000
Daemon = subprocess.Popen[str]
FINAL = {"filed", "failed", "undone", "deleted"}
FOLDERS = ("food", "non_food", "failed")


@pytest.fixture(scope="module")
def namespace() -> Iterator[None]:
    """Mounts of this module's own."""
    try:
        with own_namespace():
            yield
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def filesystem(kind: Kind, namespace: None, tmp_path: Path) -> Iterator[Path]:
    """The mount point of an empty filesystem."""
    try:
        with kind.mounted(tmp_path / "filesystem") as point:
            yield point
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def quick(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits also where other machines may change files, and no more processes than necessary."""
    monkeypatch.setenv("FOODSORT_WATCH__POLL_S", "0.3")
    monkeypatch.setenv("FOODSORT_IMAGES__DECODERS", "1")


class Life:
    """Photos of one root, and what is expected of each."""

    def __init__(self, root: Path, folders: Path, photo: Photo, foodsort: Foodsort) -> None:
        self.root = root
        self.audit = Audit(root, tuple(folders / name for name in FOLDERS))
        self.photos: list[bytes] = []
        self._photo = photo
        self._foodsort = foodsort
        self._numbers = itertools.count()

    def drop(self, name: str, label: str = "food", *, size: int = 0) -> bytes:
        """Puts a photo of its own into the inbox, with an old time; label: `cut` for one that fails."""
        data = self._photo("food" if label == "cut" else label, size=256)
        data = data[: len(data) // 2] if label == "cut" else data
        return self.drop_bytes(name, data + b"%08d" % next(self._numbers) + os.urandom(size))

    def drop_bytes(self, name: str, data: bytes) -> bytes:
        path = self.root / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{time.monotonic_ns()}.tmp")
        hidden.write_bytes(data)
        os.utime(hidden, (MTIME_S, MTIME_S))
        hidden.rename(path)
        self.photos.append(data)
        return data

    def row(self, name: str) -> Row | None:
        """The row of the photo that was dropped under a name."""
        return next((row for row in self.audit.rows() if row.inbox_path == name), None)

    def place(self, name: str) -> Path:
        row = self.row(name)
        assert row is not None
        return row.path

    def states(self) -> dict[str, str]:
        return {row.inbox_path: row.state for row in self.audit.rows()}

    def is_settled(self) -> bool:
        """Whether each photo has a row, and none is on its way."""
        states = [row.state for row in self.audit.rows()]
        return len(states) >= len(self.photos) and set(states) <= FINAL

    def call(self, *words: str | Path) -> None:
        command, *others = words
        code, out, err = self._foodsort(command, "--root", self.root, *others)
        assert code == 0, out + err

    def check(self) -> None:
        """Each photo is in one place, unchanged, with one row; nothing else is left."""
        assert self.audit.problems(self.photos) == []
        for row in self.audit.rows():
            assert row.state == "deleted" or int(row.path.stat().st_mtime) == MTIME_S, row


def live(life: Life, then: Callable[[Daemon], None] = lambda daemon: None, killed_at: str = "") -> None:
    """The whole life, beside one daemon. killed_at: where another one was killed before."""
    for name, label in (("trip/soup.jpg", "food"), ("soup.jpg", "food"), ("sea.jpg", "non_food"), ("cut.jpg", "cut")):
        life.drop(name, label)
    life.drop_bytes("bill.pdf", b"%PDF")
    if killed_at:
        kill_run_at(life.root, killed_at)
    with running(life.root) as daemon:
        until(life.is_settled, daemon)
        life.drop_bytes("again/soup.jpg", life.drop("trip/soup.jpg"))  # a taken name, and a copy
        until(life.is_settled, daemon)
        life.check()

        life.call("undo", life.place("soup.jpg"), life.place("cut.jpg"))
        life.check()
        assert [life.states()[name] for name in ("soup.jpg", "cut.jpg")] == ["undone", "undone"]

        life.call("retry", "inbox/soup.jpg", "inbox/cut.jpg")
        until(life.is_settled, daemon)
        life.call("retry", life.place("cut.jpg"))
        until(life.is_settled, daemon)
        life.call("correct", life.place("sea.jpg"), "--label", "food")
        life.call("delete", life.place("bill.pdf"), "--yes")
        then(daemon)
        until(life.is_settled, daemon)
        until(lambda: status(life.root)["waiting_for"] is None, daemon)
    life.check()
    assert [life.states()[name] for name in ("soup.jpg", "cut.jpg", "bill.pdf")] == ["filed", "failed", "deleted"]
    assert life.place("sea.jpg").parent.name == "food"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name == "exfat"], ids=lambda kind: kind.name)
def test_a_kill_at_any_placeholder_leaves_none(filesystem: Path, kind: Kind, photo: Photo, foodsort: Foodsort) -> None:
    """The file gets a placeholder when it is claimed, for its sidecar, and when it moves."""
    root = filesystem / "root"
    (root / "inbox").mkdir(parents=True)
    life = Life(root, root, photo, foodsort)
    for number in (1, 2, 3):
        life.drop_bytes(f"bill {number}.pdf", b"%%PDF %d" % number)
        kill_run_at(root, f"placeholder:{number}")
        with running(root) as daemon:
            until(life.is_settled, daemon)
        life.check()
        assert life.place(f"bill {number}.pdf") == root / f"failed/bill {number}.pdf"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_on_one_filesystem(filesystem: Path, kind: Kind, photo: Photo, foodsort: Foodsort) -> None:
    root = filesystem / "root"
    (root / "inbox").mkdir(parents=True)
    live(Life(root, root, photo, foodsort), killed_at=kind.failpoint)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_from_and_to_another_filesystem_that_refuses_names_and_fills_up(
    filesystem: Path, root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    places = [f'{name} = "{filesystem / name}"' for name in FOLDERS]
    (root / "foodsort.toml").write_text("\n".join(["[folders]", *places]) + "\n")

    life = Life(root, filesystem, photo, foodsort)

    def then(daemon: Daemon) -> None:
        for name in ("12:30.jpg", f"{'long' * 49}.jpg"):
            life.drop(name)
        until(life.is_settled, daemon)
        filling = fill(filesystem)
        life.drop("full.jpg", size=1 << 20)
        until(lambda: status(root)["waiting_for"] is not None, daemon)
        filling.unlink()

    live(life, then)


def fill(folder: Path) -> Path:
    """A file that takes all the room of a filesystem; some report this only when the file is closed."""
    path = folder / "filling"
    for size in (1 << 18, 1 << 12):
        with suppress(OSError), path.open("ab", buffering=0) as file:
            while file.write(bytes(size)):
                pass
    return path
