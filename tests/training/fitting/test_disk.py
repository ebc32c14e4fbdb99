import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from models.errors import FoodsortError
from tests.daemon.conftest import mounted
from training.fitting.checkpoint import Array, Checkpoint
from training.fitting.disk import DiskFullError, disk_full_errors, new_array


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limits the size of files, which fails like a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def make_ones(path: Path) -> None:
    new_array(path, np.uint8, (200_000,))[:] = 1


def load(checkpoint: Checkpoint) -> Array:
    return checkpoint.load_or_make_array("ones.npy", make_ones)


def test_an_array_has_its_type_and_shape(tmp_path: Path) -> None:
    new_array(tmp_path / "a.npy", np.float32, (2, 3))[:] = 7
    assert np.load(tmp_path / "a.npy").tolist() == [[7.0] * 3] * 2


def test_a_full_disk_is_an_error_with_its_place_and_the_checkpoint_goes_on(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "mine", {})
    with largest_file(100_000), pytest.raises(DiskFullError) as caught:
        load(checkpoint)
    assert f"no room on the disk of {checkpoint.folder}" in str(caught.value)
    assert "free some space" in str(caught.value)
    assert str(caught.value).endswith("the same command resumes from them")
    assert [path.name for path in checkpoint.folder.iterdir()] == ["training.json"]
    assert load(checkpoint).sum() == 200_000


@pytest.mark.system
def test_a_small_disk_ends_no_process(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=100k") as disk:
        checkpoint = Checkpoint(disk / "mine", {})
        with pytest.raises(DiskFullError, match="no room on the disk"):
            load(checkpoint)
        assert [path.name for path in checkpoint.folder.iterdir()] == ["training.json"]


@pytest.mark.system
def test_the_error_of_a_library_counts_when_the_disk_is_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4k") as disk:
        (disk / "filling").write_bytes(bytes(4096))
        with pytest.raises(DiskFullError), disk_full_errors(disk, "again"):
            raise RuntimeError("a library's own words")


@pytest.mark.parametrize("error", [ValueError("a"), OSError(errno.EIO, "b"), FoodsortError("c")])
def test_other_errors_pass(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, disk_full_errors(tmp_path, "again"):
        raise error
    assert caught.value is error


def test_the_words_of_a_library_tell_a_full_disk(tmp_path: Path) -> None:
    full = pytest.raises(DiskFullError, match=r"no room on the disk of .*/new/folder .*; run it again")
    with full, disk_full_errors(tmp_path / "new/folder", "run it again"):
        raise OSError("Unable to write (errno = 28, error message = 'No space left on device')")
