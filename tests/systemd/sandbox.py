"""A real systemd for tests: process 1 in its own namespaces, on an overlay of this machine's root that ends with it."""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_TOOLS = ("unshare", "nsenter", "setpriv", "mount", "pivot_root", "systemctl")
_NAMESPACES = ("--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net")
_SYSTEMD = "/lib/systemd/systemd"
_START_S = 60.0

# Runs before systemd, as the first process of the new namespaces. $1: a folder to build in.
_BOOT = """
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
: >etc/fstab
mount -t proc proc proc
mount -o bind,ro proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for node in null zero full random urandom tty; do
  : >"dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
"""
# Not a chroot: the kernel makes no user namespace in one, and PrivateUsers= needs one. The tmpfiles.d fragments of this
# machine are masked at boot; nothing here needs them.
_PIVOT = f"""
mkdir .before
pivot_root . .before
cd /
umount -l .before
rmdir .before
exec env -i container=sandbox PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  {_SYSTEMD} --system --unit=basic.target systemd.mask=systemd-tmpfiles-setup.service \\
  systemd.mask=systemd-modules-load.service systemd.mask=timers.target
"""


class Unavailable(Exception):
    """Raised when this machine cannot boot a systemd of its own. The message says why."""


class Sandbox:
    """A booted systemd. Files written in it are removed when it ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        """Its process 1, as a PID of this machine."""

    def call(self, *command: str | Path, stdin: str = "", check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs a command in the sandbox, as root.

        Raises:
            CalledProcessError: The command failed and `check` is on.
        """
        inside = ["nsenter", "--target", str(self.pid), *_NAMESPACES, "--root", "--wd", "--", *map(str, command)]
        done = subprocess.run(inside, input=stdin, capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, list(map(str, command)), done.stdout, done.stderr)
            error.add_note(done.stdout + done.stderr)
            raise error
        return done

    def path(self, inside: str | Path) -> Path:
        """A path of the sandbox as the tests reach it."""
        return Path(f"/proc/{self.pid}/root") / str(inside).lstrip("/")


@contextmanager
def booted(folder: Path, shared: Mapping[str, Path]) -> Iterator[Sandbox]:
    """Boots a systemd and ends it in any case. Waits while another sandbox runs.

    Args:
        folder: Empty folder for the root.
        shared: Folders of this machine, by their path in the sandbox; they are read-only there.

    Raises:
        Unavailable: This machine cannot boot a systemd of its own.
    """
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        raise Unavailable("only root can boot a systemd")
    if missing or not os.access(_SYSTEMD, os.X_OK):
        raise Unavailable(f"not installed: {', '.join(missing) or 'systemd'}")
    with Path("/run/foodsort-sandbox.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _own_cgroup() as own:
            yield from _run(folder, shared, own)


def _run(folder: Path, shared: Mapping[str, Path], own: Path) -> Iterator[Sandbox]:
    binds = [
        f"mkdir -p .{at}; mount --bind {shlex.quote(str(source))} .{at}; mount -o remount,bind,ro .{at}"
        for at, source in shared.items()
    ]
    boot = "\n".join(["set -e", _BOOT, *binds, _PIVOT])
    # Its cgroup first, so that this is where the new namespace begins.
    enter = f'echo 0 >{own}/cgroup.procs && exec unshare --fork --kill-child {" ".join(_NAMESPACES)} sh -c "$@"'
    # --pdeathsig: it ends also with tests that are killed.
    command = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", enter, "sh", boot, "sh", str(folder)]
    with (folder.parent / "boot.log").open("w+") as log:
        outer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _awaited(outer, Path(log.name))
        finally:
            outer.kill()
            outer.wait()


def _awaited(outer: "subprocess.Popen[bytes]", log: Path) -> Sandbox:
    """The systemd, once its target is reached."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if outer.poll() is not None:
            raise Unavailable(f"no systemd could be booted: {log.read_text().strip() or outer.returncode}")
        with suppress(FileNotFoundError):  # it has just ended
            pid = children.read_text().strip()
            if pid and Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                sandbox = Sandbox(int(pid))
                state = sandbox.call("systemctl", "is-system-running", check=False).stdout.strip()
                if state in {"running", "degraded"}:
                    return sandbox
        time.sleep(0.05)
    raise TimeoutError(f"systemd did not come up: {log.read_text()}")


def cgroup() -> Path:
    """The cgroup of the sandbox; it exists while the sandbox runs.

    Raises:
        Unavailable: No cgroup2 is mounted.
    """
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in mounts:
        if mount[2] == "cgroup2":
            return Path(mount[1], "foodsort-sandbox")
    raise Unavailable("no cgroup2 is mounted")


@contextmanager
def _own_cgroup() -> Iterator[Path]:
    """Makes the cgroup; at the end kills its processes and removes it."""
    own = cgroup()
    try:
        if own.exists():  # of tests that were killed
            _remove(own)
        own.mkdir()
    except OSError as error:
        raise Unavailable(f"no cgroup can be made: {error}") from error
    try:
        yield own
    finally:
        _remove(own)


def _remove(own: Path) -> None:
    end = time.monotonic() + 10
    while "populated 1" in (own / "cgroup.events").read_text() and time.monotonic() < end:
        for pid in (own / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)
    for below, _, _ in os.walk(own, topdown=False):
        os.rmdir(below)
