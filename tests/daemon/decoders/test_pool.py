"""Real worker processes that crash, hang, run out of memory or lose their daemon."""

import ctypes
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from daemon.decoders import pool
from daemon.decoders import process as process_module
from daemon.decoders.pool import DecoderPool, PoolStopped
from daemon.decoders.process import WorkerDied, WorkerProcess
from daemon.decoders.worker import ERROR_CHARS, MESSAGE_BYTES, Task
from daemon.pipeline import attempts
from daemon.retry import Retrier
from models.errors import ImageError, ImageErrorKind
from models.images.decode import Fit, Picture, Within, decode
from models.images.exif import Exif
from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.decoders.workers import slow_picture, worker_pids
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow

_PIDFD_GETFD = 438  # the same number on every processor
MAX_PIXELS = 40_000_000
TASK = Task(os.getpid(), Fit(), MAX_PIXELS, 60)
NO_EXIF: dict[str, Any] = {"taken_at": None, "taken_offset": None, "camera": None}
VALID_REPLY: dict[str, Any] = {
    "number": 1,
    "format": "JPEG",
    "width": 3,
    "height": 3,
    "shape": [224, 224],
    "exif": NO_EXIF,
}
INVALID_FIELDS: list[dict[str, Any]] = [
    {"width": -1},
    {"width": 1000000, "height": 1000000},
    {"width": "3"},
    {"width": True},
    {"height": 3.0},
    {"number": 2},
    {"number": True},
    {"number": None},
    {"further": 1},
    {"format": "\x1b[31m"},
    {"shape": [224, 223]},
    {"shape": [448, 112]},
    {"shape": [224, 224, 3]},
    {"exif": {}},
    {"exif": NO_EXIF | {"further": 1}},
    {"exif": NO_EXIF | {"camera": "a\0b"}},
    {"exif": NO_EXIF | {"camera": "x" * 101}},
    {"exif": NO_EXIF | {"camera": ""}},
    {"exif": NO_EXIF | {"camera": 3}},
    {"exif": NO_EXIF | {"taken_at": "2026:07:01 18:30:00"}},
    {"exif": NO_EXIF | {"taken_at": "yesterday"}},
    {"exif": NO_EXIF | {"taken_offset": "+99:00"}},
]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def decoders(threads: ThreadPoolExecutor) -> Iterator[DecoderPool]:
    with DecoderPool(Fit(), MAX_PIXELS, 60) as decoders:
        await_ready(decoders)
        yield decoders


@pytest.fixture
def open_photo(photo: Photo, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Opens a file with these bytes, by default a small photo, and returns its descriptor."""
    fds: list[int] = []

    def make(data: bytes = b"") -> int:
        path = tmp_path / f"photo {len(fds)}"
        path.write_bytes(data or photo())
        fds.append(os.open(path, os.O_RDONLY))
        return fds[-1]

    yield make
    for fd in fds:
        os.close(fd)


def await_ready(decoders: DecoderPool) -> None:
    for _ in range(decoders.size):  # the workers take turns
        decoders.isolation()


def give_to_worker(decoders: DecoderPool, fd: int, threads: ThreadPoolExecutor) -> tuple["Future[Picture]", int]:
    """Gives a photo to a worker that is stopped; returns its future and the worker's process id."""
    for pid in decoders.pids:
        os.kill(pid, signal.SIGSTOP)
    future = threads.submit(decoders.decode, fd)
    until(lambda: any(worker.photos for worker in decoders._alive))
    return future, next(worker.pid for worker in decoders._alive if worker.photos)


def resume(decoders: DecoderPool) -> None:
    for pid in decoders.pids:
        os.kill(pid, signal.SIGCONT)


def has_ended(pid: int) -> bool:
    """Whether a process has ended; a zombie counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_workers_return_the_pixels_of_decode(decoders: DecoderPool, open_photo: Callable[..., int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 500, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    picture, expected = decoders.decode(open_photo(file.getvalue())), decode(file.getvalue(), Fit())
    assert picture[1:] == expected[1:] == ("PNG", 500, 300, Exif())
    assert (picture.pixels == expected.pixels).all()


def test_a_picture_that_fits_within_a_side_keeps_its_aspect_ratio(
    open_photo: Callable[..., int], threads: ThreadPoolExecutor
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 500, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    fd = open_photo(file.getvalue())
    with DecoderPool(Within(100), MAX_PIXELS, 60, size=1) as decoders:
        picture = threads.submit(decoders.decode, fd).result(30)
        assert len(decoders.pids) == decoders.size == 1
    assert picture.pixels.shape == (60, 100, 3)
    assert (picture.pixels == decode(file.getvalue(), Within(100)).pixels).all()


def test_exif_fields_are_returned_with_the_pixels(decoders: DecoderPool, open_photo: Callable[..., int]) -> None:
    tags = Image.Exif()
    tags[0x0110] = "Soup 3000"
    tags.get_ifd(0x8769).update({0x9003: "2026:07:01 18:30:00", 0x9011: "+02:00"})
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "JPEG", exif=tags)
    picture = decoders.decode(open_photo(file.getvalue()))
    assert picture.exif == Exif("2026-07-01T18:30:00", "+02:00", "Soup 3000")


def test_a_file_that_is_not_an_image_raises_and_keeps_the_worker(
    decoders: DecoderPool, open_photo: Callable[..., int]
) -> None:
    before = decoders.pids
    with pytest.raises(ImageError, match="not an image in a supported format") as caught:
        decoders.decode(open_photo(b"%PDF"))
    assert caught.value.kind == ImageErrorKind.NOT_AN_IMAGE
    assert decoders.pids == before


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_costs_one_photo(
    decoders: DecoderPool, open_photo: Callable[..., int], threads: ThreadPoolExecutor, number: signal.Signals
) -> None:
    fd = open_photo()
    future, pid = give_to_worker(decoders, fd, threads)
    os.kill(pid, number)
    resume(decoders)
    with pytest.raises(ImageError, match=number.name) as caught:
        future.result(30)
    assert caught.value.kind == ImageErrorKind.DECODER_CRASHED
    assert all(decoders.decode(fd).format == "JPEG" for _ in range(decoders.size + 1))
    assert pid not in decoders.pids
    assert decoders.deaths == 1


def test_a_worker_killed_from_outside_is_not_the_photos_fault(
    decoders: DecoderPool, open_photo: Callable[..., int], threads: ThreadPoolExecutor
) -> None:
    future, pid = give_to_worker(decoders, open_photo(), threads)
    os.kill(pid, signal.SIGKILL)
    resume(decoders)
    assert future.result(30).format == "JPEG"


def test_workers_that_died_idle_are_replaced(decoders: DecoderPool, open_photo: Callable[..., int]) -> None:
    before = decoders.pids
    for pid in before:
        os.kill(pid, signal.SIGSEGV)
    until(lambda: all(map(has_ended, before)))
    assert all(decoders.decode(open_photo()).format == "JPEG" for _ in range(decoders.size))
    assert decoders.pids.isdisjoint(before)
    assert decoders.deaths == len(before)


def test_a_hang_ends_at_the_time_limit(open_photo: Callable[..., int]) -> None:
    with DecoderPool(Fit(), MAX_PIXELS, 0.5) as decoders:
        await_ready(decoders)
        stopped = decoders.pids
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for _ in stopped:
            with pytest.raises(ImageError, match="timeout_s") as caught:
                decoders.decode(open_photo())
            assert caught.value.kind == ImageErrorKind.DECODER_TIMEOUT
        assert decoders.decode(open_photo()).format == "JPEG"
    assert decoders.deaths == len(stopped)


def test_processor_time_is_limited_too(
    decoders: DecoderPool, open_photo: Callable[..., int], threads: ThreadPoolExecutor
) -> None:
    future, pid = give_to_worker(decoders, open_photo(), threads)
    os.kill(pid, signal.SIGXCPU)  # as the kernel does at the limit
    resume(decoders)
    with pytest.raises(ImageError, match="processor time"):
        future.result(30)


def test_a_picture_that_eats_memory_is_too_large(decoders: DecoderPool, open_photo: Callable[..., int]) -> None:
    """It has nearly the maximum number of pixels, but decoding a frame of an animation takes 16 bytes for each."""
    file = io.BytesIO()
    frames = [Image.new("RGB", (7000, 5700), colour) for colour in ("red", "blue")]
    frames[0].save(file, "WEBP", lossless=True, quality=0, method=0, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="memory") as caught:
        decoders.decode(open_photo(file.getvalue()))
    assert caught.value.kind == ImageErrorKind.TOO_LARGE
    assert decoders.decode(open_photo()).format == "JPEG"


@pytest.mark.parametrize(
    ("mode", "form", "options"),
    [
        ("I;16", "PNG", {"compress_level": 1}),
        ("RGB", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ("RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ("I;16", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_a_picture_with_the_maximum_of_pixels_decodes(
    decoders: DecoderPool, open_photo: Callable[..., int], mode: str, form: str, options: dict[str, Any]
) -> None:
    file = io.BytesIO()
    Image.new(mode, (8000, 5000)).save(file, form, **options)
    picture = decoders.decode(open_photo(file.getvalue()))
    assert (picture.format, picture.width * picture.height) == (form, MAX_PIXELS)


def test_workers_limit_themselves(decoders: DecoderPool) -> None:
    isolation = decoders.isolation()
    for pid in decoders.pids:
        status = Path(f"/proc/{pid}/status").read_text()
        limits = dict(re.findall(r"(Max [a-z ]+?)  +(\S+)", Path(f"/proc/{pid}/limits").read_text()))
        assert "NoNewPrivs:\t1\n" in status
        assert f"Seccomp:\t{2 if isolation.seccomp else 0}\n" in status
        assert (limits["Max core file size"], limits["Max file size"]) == ("0", "0")
        assert 12 * MAX_PIXELS < int(limits["Max address space"]) < 12 * MAX_PIXELS + (1 << 30)


def test_processor_time_is_granted_for_each_photo(decoders: DecoderPool, open_photo: Callable[..., int]) -> None:
    for _ in range(decoders.size):
        decoders.decode(open_photo())
    for pid in decoders.pids:
        assert re.search(r"Max cpu time +6\d ", Path(f"/proc/{pid}/limits").read_text())


def test_a_worker_imports_no_heavy_package() -> None:
    heavy = "{'tensorflow', 'keras', 'openvino', 'sqlalchemy', 'pydantic', 'pandas', 'scipy', 'watchdog', 'structlog'}"
    code = f"import sys, daemon.decoders.worker; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_workers_ignore_the_signals_that_stop_the_daemon(decoders: DecoderPool, open_photo: Callable[..., int]) -> None:
    before = decoders.pids
    for pid in before:
        assert os.getpgid(pid) != os.getpgid(0)  # a terminal's Ctrl-C does not reach it
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    assert all(decoders.decode(open_photo()).format == "JPEG" for _ in before)
    assert decoders.pids == before


def test_stopping_does_not_wait_for_a_photo(
    decoders: DecoderPool, open_photo: Callable[..., int], threads: ThreadPoolExecutor
) -> None:
    future, _ = give_to_worker(decoders, open_photo(), threads)
    pids = decoders.pids
    decoders.stop()
    with pytest.raises(PoolStopped):
        future.result(30)
    decoders.close()
    assert all(map(has_ended, pids))
    assert decoders.pids == set()


def test_workers_are_recycled(
    decoders: DecoderPool, open_photo: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_RECYCLE_PHOTOS", 2)
    before = decoders.pids
    for _ in range(2 * decoders.size):
        decoders.decode(open_photo())
    assert decoders.pids == before
    decoders.decode(open_photo())
    assert len(decoders.pids & before) == decoders.size - 1
    assert len(decoders.pids) == decoders.size


def test_no_descriptor_leaks(
    decoders: DecoderPool, open_photo: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_RECYCLE_PHOTOS", 100)
    good, bad = open_photo(), open_photo(b"GIF89a")

    def count() -> list[int]:
        return sorted(len(os.listdir(f"/proc/{pid}/fd")) for pid in ("self", *decoders.pids))

    for _ in range(decoders.size):
        decoders.decode(good)
    before = count()
    for _ in range(150):
        decoders.decode(good)
        with pytest.raises(ImageError):
            decoders.decode(bad)
    assert count() == before


def test_workers_that_cannot_be_started_are_waited_for(
    open_photo: Callable[..., int], threads: ThreadPoolExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    fd, retrier = open_photo(), Retrier(threading.Event())
    threads.submit(int).result()  # starts its thread while descriptors are left
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (fd + 1, hard))
    try:
        decoders = DecoderPool(Fit(), MAX_PIXELS, 60, retrier=retrier)
        future = threads.submit(decoders.decode, fd)
        until(lambda: retrier.pending is not None)
        assert retrier.pending is not None
        assert "a decoder cannot be started" in retrier.pending.reason
        assert not decoders.pids
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with decoders:
        assert future.result(60).format == "JPEG"
    assert retrier.pending is None
    assert "".join(capfd.readouterr()).count("a decoder") == 1


def test_the_pool_stops_while_workers_cannot_be_started(
    decoders: DecoderPool,
    open_photo: Callable[..., int],
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    starts = []

    def fail(*_: object) -> None:
        starts.append(1)
        raise OSError(12, os.strerror(12))

    monkeypatch.setattr(pool, "_RECYCLE_PHOTOS", 0)
    monkeypatch.setattr(process_module, "_start", fail)
    future = threads.submit(decoders.decode, open_photo())
    until(lambda: len(starts) >= 4)
    decoders.stop()
    with pytest.raises(PoolStopped):
        future.result(30)
    assert "".join(capfd.readouterr()).count("a decoder") == 1


IMPOSTOR = """
import socket, sys
daemon = socket.socket(fileno=0)
daemon.recv(4096)
daemon.send(sys.argv[1].encode())
daemon.recv(4096)
daemon.send(sys.argv[2].encode())
daemon.send(sys.argv[2].encode())
daemon.recv(1)
daemon.recv(1)
"""


@pytest.fixture
def impostor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts a worker that a hostile photo has taken over: it sends this reply."""
    workers = []

    def make(reply: str, greeting: str = '{"seccomp": false, "landlock": 0}') -> WorkerProcess:
        def start(stdin: "process_module.socket.socket") -> "subprocess.Popen[bytes]":  # type: ignore[name-defined]
            return subprocess.Popen([sys.executable, "-ISc", IMPOSTOR, greeting, reply], stdin=stdin.fileno())

        monkeypatch.setattr(process_module, "_start", start)
        workers.append(WorkerProcess(TASK))
        return workers[-1]

    yield make
    for worker in workers:
        worker.end()


def test_a_second_reply_is_not_taken_for_that_to_the_next_photo(
    impostor: Callable[..., WorkerProcess], open_photo: Callable[..., int]
) -> None:
    worker = impostor(json.dumps(VALID_REPLY))
    worker.await_ready()
    assert worker.decode(open_photo(), 30).format == "JPEG"
    with pytest.raises(WorkerDied) as caught:
        worker.decode(open_photo(), 30)
    assert caught.value.exit_reason.invalid_reply


@pytest.mark.parametrize(
    "reply",
    [
        "nonsense",
        "[1]",
        "[" * 4000,
        "{}",
        *(json.dumps(VALID_REPLY | fields) for fields in INVALID_FIELDS),
        '{"number": 1, "kind": "flattened", "message": "by nobody"}',
        '{"number": 1, "kind": "corrupt", "message": 3}',
        '{"number": 1, "kind": "corrupt", "message": "", "errno": 5}',
        '{"number": 1, "errno": 123456789012345678901234567890}',
        '{"number": 1, "errno": true}',
        '{"number": 2, "errno": 5}',
        json.dumps(VALID_REPLY) + " " * MESSAGE_BYTES,
    ],
)
def test_an_invalid_reply_ends_the_worker(
    impostor: Callable[..., WorkerProcess], open_photo: Callable[..., int], reply: str
) -> None:
    worker = impostor(reply)
    worker.await_ready()
    with pytest.raises(WorkerDied) as caught:
        worker.decode(open_photo(), 30)
    assert caught.value.exit_reason.invalid_reply


def test_a_valid_reply_is_accepted(impostor: Callable[..., WorkerProcess], open_photo: Callable[..., int]) -> None:
    worker = impostor(json.dumps(VALID_REPLY | {"exif": NO_EXIF | {"camera": "\ud800"}}))
    worker.await_ready()
    assert worker.decode(open_photo(), 30)[1:] == ("JPEG", 3, 3, Exif(camera="?"))


def test_a_message_can_always_be_stored(impostor: Callable[..., WorkerProcess], open_photo: Callable[..., int]) -> None:
    message = json.dumps("\ud800\0\x1b[2J\r\n\u202e is no character" + "x" * ERROR_CHARS)
    worker = impostor(f'{{"number": 1, "kind": "corrupt", "message": {message}}}')
    worker.await_ready()
    with pytest.raises(ImageError, match="is no character") as caught:
        worker.decode(open_photo(), 30)
    text = str(caught.value)
    assert text.startswith(r"?\x00\x1b[2J\x0d\x0a\xe2\x80\xae is")
    assert text.encode().decode().isprintable()
    assert len(text) == ERROR_CHARS


def test_an_invalid_greeting_is_an_error(impostor: Callable[..., WorkerProcess]) -> None:
    for greeting in ('{"seccomp": "yes", "landlock": 0}', '{"seccomp": true, "landlock": true}', '{"seccomp": true}'):
        with pytest.raises(OSError, match="did not start"):
            impostor("", greeting=greeting).await_ready()


def test_the_shared_memory_cannot_be_truncated(decoders: DecoderPool) -> None:
    for pid in decoders.pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            if "foodsort-pixels" in os.readlink(fd):
                with pytest.raises(PermissionError):
                    os.truncate(fd, 0)
                break
        else:
            raise AssertionError("a worker has no shared memory")


def sockets(pid: int) -> list[int]:
    """Duplicates the descriptors of all sockets of a process."""
    pidfd, libc = os.pidfd_open(pid), ctypes.CDLL(None)
    paths = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed by now
            if os.readlink(path).startswith("socket:"):
                paths.append(path)
    fds = [int(libc.syscall(_PIDFD_GETFD, pidfd, int(path.name), 0)) for path in paths]
    os.close(pidfd)
    if not fds or min(fds) < 0:
        pytest.skip("this process may not access others")
    return fds


def test_no_worker_outlives_a_killed_daemon(root: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__DECODERS", "3")
    with running(root) as daemon:
        first = worker_pids(daemon.pid)
        assert len(first) >= 2
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        for shade in range(8):  # threads of the daemon start new workers for these
            (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
        until(lambda: len(list((root / "food").glob("*.jpg"))) == 8, daemon)
        second = worker_pids(daemon.pid)
        assert second.isdisjoint(first)
        assert second
        duplicates = sockets(daemon.pid)  # so that no worker's socket is closed when its daemon is killed
        daemon.kill()
        daemon.wait()
        until(lambda: all(map(has_ended, second)))
        for fd in duplicates:
            os.close(fd)


def test_workers_inherit_no_files_and_no_password(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_DATABASE__URL", f"sqlite:///{root}/secret.db")
    monkeypatch.setenv("PGPASSWORD", "secret")
    with running(root) as daemon:
        for pid in worker_pids(daemon.pid):
            paths = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
            assert len([path for path in paths if path.startswith("socket:")]) == 1
            assert not any(path.startswith(str(root)) and not path.endswith("daemon.log") for path in paths)
            assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_daemon_continues_when_decoders_crash(root: Path, photo: Photo) -> None:
    photos = {f"{shade}.jpg": photo(shade=shade) for shade in range(60)}
    with running(root) as daemon:
        (root / "inbox/first.jpg").write_bytes(photo(shade=99))
        until(lambda: (root / "food/first.jpg").exists(), daemon)
        crashing = worker_pids(daemon.pid)
        for pid in crashing:
            os.kill(pid, signal.SIGSTOP)
        for name, data in photos.items():
            (root / "inbox" / name).write_bytes(data)
        until(lambda: len(list(root.glob("inbox/.foodsort/claimed/*/*.jpg"))) == 60, daemon)
        for pid in crashing:  # each has received a photo
            os.kill(pid, signal.SIGSEGV)
            os.kill(pid, signal.SIGCONT)
        until(lambda: len(list((root / "food").glob("*.jpg"))) == 61, daemon)
    retried = [row for row in rows(root) if row["attempts"] > 1]
    assert 1 <= len(retried) <= len(crashing)  # one may still have been starting
    assert "SIGSEGV" in (root / "daemon.log").read_text()
    assert tree(root) == {f"food/{name}": data for name, data in photos.items()} | {"food/first.jpg": photo(shade=99)}
    assert {row["state"] for row in rows(root)} == {"filed"}
    assert len(rows(root)) == 61


def test_a_photo_that_takes_too_long_fails_after_its_attempts(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__TIMEOUT_S", "0.02")
    monkeypatch.setattr(attempts, "PAUSES_S", (0.1, 0.1))
    (root / "inbox/slow.bmp").write_bytes(slow_picture())
    code, out, err = foodsort("run", "--root", root, "--once")
    assert code == 0, err
    assert "1 failed" in out
    assert [(row["error_kind"], row["state"], row["attempts"]) for row in rows(root)] == [
        ("decoder_timeout", "failed", 3)
    ]
    sidecar = json.loads((root / "failed/slow.bmp.error.json").read_text())
    assert (sidecar["kind"], sidecar["attempts"]) == ("decoder_timeout", 3)


def test_the_number_of_decoders_is_a_setting(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__DECODERS", "1")
    with running(root) as daemon:
        assert len(worker_pids(daemon.pid)) == 1
