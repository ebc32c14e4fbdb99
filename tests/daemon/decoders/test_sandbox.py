"""A process confined like a worker, which tries what a hostile photo would try; and workers that do so."""

import ctypes
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from daemon.decoders import landlock, process, seccomp
from daemon.decoders.pool import DecoderPool
from daemon.decoders.process import WorkerDied, WorkerProcess
from daemon.decoders.worker import WHOLE_FILE_BYTES, Task
from models.errors import ImageError, ImageErrorKind
from models.images.decode import Fit, decode
from models.images.formats import FORMATS, RAW_FORMATS
from tests.models.images import raw_files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TASK = Task(os.getpid(), Fit(), 40_000_000, 60)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PILLOWS = [form for form in FORMATS if form not in {*RAW_FORMATS, "JPEGLS"}]
_GET_DUMPABLE = 3
_ANSWER_BYTES = 64 << 10


@pytest.fixture
def outcomes(tmp_path: Path) -> Iterator[Callable[[str], dict[str, str]]]:
    """Runs tests/programs/confined.py and returns the outcome of each attempt."""
    if not seccomp.load_library():
        pytest.skip("this test needs libseccomp")
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    def run(how: str) -> dict[str, str]:
        folder = tmp_path / how
        folder.mkdir()
        words = [sys.executable, "-m", "tests.programs.confined", how, str(folder), str(victim.pid)]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            done = subprocess.run(words, stdin=theirs.fileno(), capture_output=True, cwd=ROOT, timeout=60, check=False)
            theirs.close()
            answer = ours.recv(_ANSWER_BYTES)
        assert done.returncode == 0, done.stderr.decode()
        assert victim.poll() is None
        result: dict[str, str] = json.loads(answer)
        assert result.pop("thread") == "done"
        return result

    yield run
    victim.communicate(b"\n")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], WorkerProcess]]:
    """Starts a worker whose decoder evaluates an expression instead."""
    workers = []

    def make(expression: str) -> WorkerProcess:
        code = (
            f"import mmap, os, sys; sys.path[:] = {sys.path!r}; import daemon.decoders.worker as worker;"
            f" worker._load_plugins = int; worker.decode = lambda *_: {expression}; worker.main()"
        )

        def start(stdin: socket.socket) -> "subprocess.Popen[bytes]":
            return subprocess.Popen([sys.executable, "-c", code], stdin=stdin.fileno(), stdout=subprocess.DEVNULL)

        monkeypatch.setattr(process, "_start", start)
        workers.append(WorkerProcess(TASK))
        workers[-1].await_ready()
        return workers[-1]

    yield make
    for one in workers:
        one.end()


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """A file with an image of no importance, open for reading."""
    (tmp_path / "photo").write_bytes(b"GIF89a")
    fd = os.open(tmp_path / "photo", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_every_attempt_is_refused(outcomes: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    confined = outcomes("seccomp")
    assert {name: outcome for name, outcome in confined.items() if outcome != "EPERM"} == {}
    assert {path.name: path.read_text() for path in (tmp_path / "seccomp").iterdir()} == {
        name: name for name in ("photo", "removed", "renamed", "secret", "writable")
    }
    if os.geteuid() == 0:  # others may not do all of it anyway
        free = outcomes("free")
        assert {name for name, outcome in free.items() if outcome == "EPERM"} == set()
        assert (
            sum(outcome == "done" for outcome in free.values()) > len(free) - 8
        )  # such as io_uring, or an empty address


def test_every_system_call_that_is_not_listed_is_refused(outcomes: Callable[[str], dict[str, str]]) -> None:
    refused = outcomes("sweep")
    assert len(refused) > 250
    assert refused.pop("clone3") == "ENOSYS"  # so that libc uses clone
    allowed = {name for name, outcome in refused.items() if outcome != "EPERM"}
    assert allowed <= {"clone", "newfstatat"}  # with these arguments: a thread, and a descriptor
    assert ("newfstatat" in allowed) == seccomp._fstat_takes_a_path()


def test_landlock_alone_refuses_files_and_other_processes(outcomes: Callable[[str], dict[str, str]]) -> None:
    if not (version := _landlock_version()):
        pytest.skip("the kernel has no Landlock")
    result = outcomes("landlock")
    attempts = [
        "open a file",
        "open a file for writing",
        "openat",
        "openat2",
        "create a file",
        "list a folder",
        "execve",
    ]
    attempts += ["read a process's variables", "open a process's memory", "unlink", "rename", "mkdir", "ptrace"]
    attempts += ["kill", "tgkill", "pidfd_send_signal"] if version >= landlock.SCOPED_SINCE else []
    assert {name: result[name] for name in attempts if result[name] not in {"EPERM", "EACCES", "EXDEV"}} == {}


def _landlock_version() -> int:
    version = ctypes.CDLL(None).syscall(landlock._CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, int(version))


def test_a_worker_is_confined_by_all_that_is_there(worker: Callable[[str], WorkerProcess]) -> None:
    assert worker("None").isolation == (seccomp.load_library() is not None, _landlock_version())


def test_a_worker_has_only_its_socket_and_the_memory_of_the_pixels(worker: Callable[[str], WorkerProcess]) -> None:
    pid = worker("None").pid
    fds = {path.name: os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
    assert fds.pop("0").startswith("socket:")
    assert [name for name, target in fds.items() if "foodsort-pixels" not in target] == ["1", "2"]
    assert fds["1"] == fds["2"] == "/dev/null"


@pytest.mark.parametrize("expression", ["open('/etc/hostname')", "os.fork()", "mmap.mmap(-1, 9, prot=4)"])
def test_a_refused_call_fails_the_photo_and_keeps_the_worker(
    worker: Callable[[str], WorkerProcess], fd: int, expression: str
) -> None:
    confined = worker(expression)
    if not seccomp.load_library():
        pytest.skip("this test needs libseccomp")
    for _ in range(2):
        with pytest.raises(ImageError, match="its decoder failed") as caught:
            confined.decode(fd, 30)
        assert caught.value.kind == ImageErrorKind.DECODER_CRASHED


def test_a_library_that_aborts_says_so(worker: Callable[[str], WorkerProcess], fd: int) -> None:
    with pytest.raises(WorkerDied) as caught:
        worker("os.abort()").decode(fd, 30)
    assert caught.value.exit_reason.returncode == -6


def test_errors_of_the_disk_stay_errors_of_the_disk(worker: Callable[[str], WorkerProcess], fd: int) -> None:
    with pytest.raises(OSError, match="Input/output error"):
        worker("os.pread(0, 1, -1) if None else (_ for _ in ()).throw(OSError(5, ''))").decode(fd, 30)


def pictures() -> dict[str, bytes]:
    """A picture in each format, and in kinds that other code of a library decodes."""
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8))
    options: dict[str, dict[str, Any]] = {form: {"format": form} for form in PILLOWS}
    options |= {
        "progressive JPEG": {"format": "JPEG", "progressive": True, "icc_profile": SRGB},
        "lossless WebP": {"format": "WEBP", "lossless": True},
        "LZW TIFF": {"format": "TIFF", "compression": "tiff_lzw"},
    }
    made = {}
    for name, how in options.items():
        file = io.BytesIO()
        image.save(file, **how)
        made[name] = file.getvalue()
    # libtiff itself reads a larger one through its descriptor.
    made["large TIFF"] = made["LZW TIFF"] + bytes(WHOLE_FILE_BYTES)
    made["JPEG-LS"] = bytes(imagecodecs.jpegls_encode(np.asarray(image)))
    made["DNG"] = raw_files.dng(raw_files.picture(400, 300))
    made["DNG with a preview"] = raw_files.dng(raw_files.picture(400, 300), previews=(made["JPEG"],))
    return made


def test_every_format_decodes_in_a_worker_as_outside(tmp_path: Path) -> None:
    formats = set()
    with ThreadPoolExecutor(1) as threads, DecoderPool(Fit(), 40_000_000, 60, size=1) as decoders:
        for name, data in pictures().items():
            (tmp_path / "photo").write_bytes(data)
            with (tmp_path / "photo").open("rb") as file:
                picture = threads.submit(decoders.decode, file.fileno()).result(60)
            expected = decode(data, Fit())
            assert (picture.pixels == expected.pixels).all(), name
            assert picture[1:] == expected[1:]
            formats.add(picture.format)
        assert decoders.deaths == 0
    assert formats == {*PILLOWS, "JPEGLS", "DNG"}


def test_decoding_imports_and_opens_nothing(tmp_path: Path) -> None:
    """What is not loaded before the worker confines itself would be refused."""
    for name, data in pictures().items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import pathlib, sys, daemon.decoders.worker as worker\n"
        "pictures, seen = [path.read_bytes() for path in pathlib.Path(sys.argv[1]).iterdir()], []\n"
        "sys.addaudithook(lambda event, args: seen.append((event, args)) if event in {'open', 'import'} else None)\n"
        "worker._load_plugins(), seen.clear()\n"
        "for data in pictures: worker.decode(data, worker.Fit())\n"
        "assert pictures and not seen, seen"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=True, cwd=ROOT)


def test_a_process_with_decoders_hides_its_memory() -> None:
    code = (
        "import ctypes; from daemon.decoders.pool import DecoderPool; from models.images.decode import Fit\n"
        f"with DecoderPool(Fit(), 10**6, 60, size=1): assert ctypes.CDLL(None).prctl({_GET_DUMPABLE}, 0, 0, 0, 0) == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
