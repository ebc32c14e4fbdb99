"""Filesystems of many kinds for tests, each mounted in a namespace that ends with the tests."""

import ctypes
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNS = 0x00020000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)

_START_S = 20.0

Command = list[str | Path]
Mount = Callable[[Path, Path], AbstractContextManager[None]]
"""Mounts a filesystem at the first folder; what it needs besides is put into the second."""


class Unavailable(Exception):
    """Raised when this machine cannot mount a filesystem. The message says why."""


@dataclass(frozen=True)
class Kind:
    """A kind of filesystem.

    Attributes:
        name: Its name.
        mount: Mounts one.
        tools: Programs that it needs, and the Debian packages that have them.
        required: Whether a test fails where the programs are installed and the mount is refused.
        failpoint: A point in the middle of a batch's moves.
    """

    name: str
    mount: Mount
    tools: dict[str, str]
    required: bool = False
    failpoint: str = "moved:2"

    @contextmanager
    def mounted(self, folder: Path) -> Iterator[Path]:
        """Mounts an empty filesystem below a folder and yields its mount point.

        Raises:
            Unavailable: A program is missing, or this machine refuses the mount.
        """
        if os.geteuid() != 0:
            raise Unavailable("only root may mount")
        missing = [package for tool, package in self.tools.items() if shutil.which(tool) is None]
        if missing:
            raise Unavailable(f"not installed: Debian's {', '.join(sorted(set(missing)))}")
        point = folder / "mount"
        backing = folder / "backing"
        point.mkdir(parents=True)
        backing.mkdir()
        with ExitStack() as stack:
            stack.enter_context(_tmpfs(backing, backing))
            try:
                stack.enter_context(self.mount(point, backing))
            except (subprocess.CalledProcessError, TimeoutError) as error:
                output = getattr(error, "stderr", None) or ""
                if self.required:
                    error.add_note(output)
                    raise
                raise Unavailable(f"{self.name} cannot be mounted here: {output.strip() or error}") from error
            yield point


@contextmanager
def own_namespace() -> Iterator[None]:
    """Gives this thread and the processes that it starts mounts of their own; they end with the last of them.

    Raises:
        Unavailable: It may not have them.
    """
    folder = os.getcwd()
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNS):
            raise Unavailable(f"no mount namespace can be made: {os.strerror(ctypes.get_errno())}")
        try:
            _run("mount", "--make-rprivate", "/")
            yield
        finally:
            if _libc.setns(before, _CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), "the tests cannot return to their own mounts")
            os.chdir(folder)
    finally:
        os.close(before)


@contextmanager
def _tmpfs(point: Path, _: Path) -> Iterator[None]:
    with _unmounted_later(point):
        _run("mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", point)
        yield


def _disk(megabytes: int, *make: str) -> Mount:
    """A filesystem of the kernel's on an image file. make: the command that formats it, without the file's name."""

    @contextmanager
    def mount(point: Path, backing: Path) -> Iterator[None]:
        image = point.with_name("image")
        with image.open("xb") as file:
            file.truncate(megabytes << 20)
        _run(*make, image)
        with _unmounted_later(point):
            _run("mount", "-o", "loop", image, point)
            yield

    return mount


@contextmanager
def _overlay(point: Path, backing: Path) -> Iterator[None]:
    layers = {name: backing / name for name in ("lowerdir", "upperdir", "workdir")}
    for layer in layers.values():
        layer.mkdir()
    with _unmounted_later(point):
        options = ",".join(f"{name}={layer}" for name, layer in layers.items())
        _run("mount", "-t", "overlay", "-o", options, "overlay", point)
        yield


def _fuse(command: Callable[[Path, Path], Command]) -> Mount:
    """A filesystem that a program in the foreground serves. command: from the mount point and a folder of its own."""

    @contextmanager
    def mount(point: Path, backing: Path) -> Iterator[None]:
        with _served(command(point, backing), lambda: os.path.ismount(point)), _unmounted_later(point):
            yield

    return mount


def _ntfs(point: Path, backing: Path) -> Command:
    image = _image(backing)
    _run("mkntfs", "--fast", "--force", "--quiet", image)
    return ["ntfs-3g", "-o", "no_detach", image, point]


def _bindfs(point: Path, backing: Path) -> Command:
    """As on SMB shares and NFSv4 with ACLs, nobody may change a mode."""
    return ["bindfs", "-f", "--chmod-deny", "--chown-deny", backing, point]


@contextmanager
def _exfat(point: Path, backing: Path) -> Iterator[None]:
    """Its program takes block devices only."""
    image = _image(backing)
    _run("mkfs.exfat", image)
    device = _run("losetup", "--find", "--show", image).strip()
    command: Command = ["mount.exfat-fuse", "-d", device, point]  # -d: in the foreground
    with _served(command, lambda: os.path.ismount(point)), _unmounted_later(point):
        _run("losetup", "--detach", device)  # as soon as it is no longer in use
        yield


def _encfs(point: Path, backing: Path) -> Command:
    """Names of at most 175 bytes; it reports 189."""
    return ["encfs", "-f", "--standard", "--extpass=echo foodsort", backing, point]


def _mergerfs(point: Path, backing: Path) -> Command:
    branches = [backing / name for name in ("one", "two")]
    for branch in branches:
        branch.mkdir()
    return ["mergerfs", "-f", "-o", "minfreespace=0", ":".join(map(str, branches)), point]


@contextmanager
def _sshfs(point: Path, backing: Path) -> Iterator[None]:
    """Through a server of SSH on the loopback, with a key of its own, as docs/durability.md advises."""
    keys = point.with_name("ssh")
    keys.mkdir(mode=0o700)
    for name in ("host", "person"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "person.pub",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PermitRootLogin": "yes",
        "Subsystem": "sftp internal-sftp",
    }
    (keys / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    client = keys / "ssh_config"
    client.write_text(f"IdentityFile {keys}/person\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n")
    with ExitStack() as stack:
        run = Path("/run")  # sshd insists on /run/sshd
        stack.enter_context(_tmpfs(run, run))
        (run / "sshd").mkdir(mode=0o755)
        server: Command = [shutil.which("sshd") or "sshd", "-D", "-e", "-f", keys / "sshd_config"]
        stack.enter_context(_served(server, lambda: _listens(port)))
        command: Command = [
            "sshfs",
            "-f",
            "-o",
            "dir_cache=no",
            "-p",
            str(port),
            "-F",
            client,
            f"root@127.0.0.1:{backing}",
            point,
        ]
        stack.enter_context(_served(command, lambda: os.path.ismount(point)))
        stack.enter_context(_unmounted_later(point))
        yield


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _served(command: Command, ready: Callable[[], bool]) -> Iterator[None]:
    """Runs a server until the end, or the end of the tests.

    Raises:
        CalledProcessError: The server ended before it was ready.
        TimeoutError: It is not ready in time.
    """
    words = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
    server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _START_S
        while not ready():
            if server.poll() is not None:
                raise subprocess.CalledProcessError(server.returncode, words)
            if time.monotonic() > end:
                raise TimeoutError(f"{words[3]} does not come up")
            time.sleep(0.01)
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _unmounted_later(point: Path) -> Iterator[None]:
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)


def _image(folder: Path, megabytes: int = 16) -> Path:
    image = folder / "image"
    with image.open("xb") as file:
        file.truncate(megabytes << 20)
    return image


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout


_MOUNT = {"mount": "mount", "setpriv": "util-linux"}
# Five photos are claimed before.
_LINKED = "linked:7"
KINDS = (
    Kind("tmpfs", _tmpfs, _MOUNT, required=True),
    Kind("ext4", _disk(16, "mkfs.ext4", "-q", "-F"), _MOUNT | {"mkfs.ext4": "e2fsprogs"}, required=True),
    Kind(
        "ntfs-3g", _fuse(_ntfs), _MOUNT | {"mkntfs": "ntfs-3g", "ntfs-3g": "ntfs-3g"}, required=True, failpoint=_LINKED
    ),
    Kind("bindfs", _fuse(_bindfs), _MOUNT | {"bindfs": "bindfs"}, required=True),
    Kind("sshfs", _sshfs, _MOUNT | {"sshfs": "sshfs", "sshd": "openssh-server"}, required=True, failpoint=_LINKED),
    Kind("btrfs", _disk(110, "mkfs.btrfs", "-q"), _MOUNT | {"mkfs.btrfs": "btrfs-progs"}),
    Kind("xfs", _disk(300, "mkfs.xfs", "-q"), _MOUNT | {"mkfs.xfs": "xfsprogs"}),
    Kind("overlay", _overlay, _MOUNT),
    Kind(
        "exfat",
        _exfat,
        _MOUNT | {"mount.exfat-fuse": "exfat-fuse", "mkfs.exfat": "exfatprogs"},
        failpoint="placeholder:7",
    ),
    Kind("encfs", _fuse(_encfs), _MOUNT | {"encfs": "encfs"}),
    Kind("mergerfs", _fuse(_mergerfs), _MOUNT | {"mergerfs": "mergerfs"}),
)
