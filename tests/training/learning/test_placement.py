import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.bundle import HEADS, INT8, Bundle, folder_name
from models.errors import BundleError
from training.learning import placement


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with placement.new_folder(tmp_path / "models/out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "models/out").exists()
    assert names(tmp_path / "models") == {"out"}
    assert (tmp_path / "models/out/a").read_text() == "a"
    assert (tmp_path / "models/out").stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_after_an_error_nothing_is_left(error: type[BaseException], tmp_path: Path) -> None:
    def fill() -> None:
        with placement.new_folder(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise error

    with pytest.raises(error):
        fill()
    assert names(tmp_path) == set()


def test_an_empty_folder_is_replaced_and_a_full_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with placement.new_folder(tmp_path / "empty") as folder:
        (folder / "a").write_text("a")
    assert names(tmp_path / "empty") == {"a"}
    (tmp_path / "full").mkdir()

    def fill() -> None:
        with placement.new_folder(tmp_path / "full") as folder:
            (folder / "a").write_text("a")
            (tmp_path / "full/mine").write_text("mine")

    with pytest.raises(OSError, match="not empty"):
        fill()
    assert names(tmp_path / "full") == {"mine"}
    assert names(tmp_path) == {"empty", "full"}


def test_what_a_killed_process_leaves_is_removed_and_what_a_running_one_fills_is_not(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from training.learning import placement
with placement.new_folder(Path(sys.argv[1])) as folder:
    (folder / "a").write_text("a")
    print(folder.name, flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    killed, running = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    try:
        left, filled = (process.stdout.readline().strip() for process in (killed, running) if process.stdout)
        assert names(tmp_path) == {left, filled}
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with placement.new_folder(tmp_path / "third"):
            pass
        assert names(tmp_path) == {filled, "third"}
    finally:
        for process in (killed, running):
            process.kill()
            process.communicate()


@pytest.mark.parametrize("error", [None, errno.EXDEV, errno.ENOSYS])
def test_a_base_is_placed_once_as_a_copy_of_its_own(
    error: int | None, shipped: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(error, "refused")

    if error is not None:
        monkeypatch.setattr(os, "copy_file_range", refuse)
    placement.place_base(shipped, tmp_path / "models")
    monkeypatch.setattr(placement, "new_folder", None)
    placement.place_base(shipped, tmp_path / "models")
    place = tmp_path / "models" / folder_name(shipped.sha256)
    assert names(tmp_path / "models") == {place.name}
    assert Bundle.load(place).sha256 == shipped.sha256
    (place / INT8).write_text("changed")
    assert Bundle.load().sha256 == shipped.sha256


def test_a_full_disk_leaves_no_part_of_a_base(shipped: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    with pytest.raises(OSError, match="No space left"):
        placement.place_base(shipped, tmp_path)
    assert names(tmp_path) == set()


def test_another_bundle_at_its_place_is_refused(shipped: Bundle, tmp_path: Path) -> None:
    placement.place_base(shipped, tmp_path)
    place = tmp_path / folder_name(shipped.sha256)
    Bundle.write(place, shipped.card.model_copy(update={"temperature": 2.0}))
    with pytest.raises(BundleError, match="is another bundle than the one that its name means; move it away"):
        placement.place_base(shipped, tmp_path)
    (place / HEADS).unlink()
    with pytest.raises(BundleError, match="is not a complete model bundle"):
        placement.place_base(shipped, tmp_path)
