"""Tries what a hostile photo would try, confined or not: `confined.py HOW FOLDER VICTIM`. Standard input is a socket.

HOW is `free`, `landlock`, `seccomp` (both, as in a worker), or `sweep` (each system call that libseccomp knows). The answer
is one JSON object: for each attempt the name of its error, or "done". VICTIM is the id of another process of this user.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from daemon.decoders import landlock, sandbox, seccomp

_PTRACE_SEIZE = 0x4206
_LAST_CALL = 600
_libc = ctypes.CDLL(None, use_errno=True)
_libseccomp = ctypes.CDLL("libseccomp.so.2")
_libseccomp.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p


def _call(name: str, *arguments: object) -> None:
    if int(_libc.syscall(_libseccomp.seccomp_syscall_resolve_name(name.encode()), *arguments)) < 0:
        raise OSError(ctypes.get_errno(), name)


def _attempts(folder: Path, victim: int) -> dict[str, Callable[[], object]]:
    def path(name: str) -> bytes:
        (folder / name).write_text(name)
        return bytes(folder / name)

    photo = os.open(path("photo"), os.O_RDONLY)
    connected, _ = socket.socketpair()
    server = socket.create_server(("127.0.0.1", 0))
    how = (ctypes.c_uint64 * 3)()
    piece = (ctypes.c_size_t * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    limit = (ctypes.c_uint64 * 2)()
    null = ctypes.c_void_p(0)
    pidfd = os.pidfd_open(victim)
    secret = path("secret")
    writable = path("writable")
    removed = path("removed")
    renamed = path("renamed")
    return {
        "open a file": lambda: os.open(secret, os.O_RDONLY),
        "open a file for writing": lambda: os.open(writable, os.O_RDWR),
        "openat": lambda: _call("openat", -100, secret, 0),
        "openat2": lambda: _call("openat2", -100, secret, how, ctypes.sizeof(how)),
        "create a file": lambda: os.open(folder / "new", os.O_WRONLY | os.O_CREAT),
        "open the photo again": lambda: os.open(f"/proc/self/fd/{photo}", os.O_RDONLY),
        "read a process's variables": lambda: os.open(f"/proc/{victim}/environ", os.O_RDONLY),
        "open a process's memory": lambda: os.open(f"/proc/{victim}/mem", os.O_RDWR),
        "list a folder": lambda: os.listdir(folder),
        "stat": lambda: os.stat(secret),
        "lstat": lambda: os.lstat(secret),
        "readlink": lambda: os.readlink("/proc/self/exe"),
        "access": lambda: _call("faccessat", -100, secret, os.R_OK),
        "chdir": lambda: os.chdir(folder),
        "unlink": lambda: os.unlink(removed),
        "rename": lambda: os.rename(renamed, bytes(folder / "moved")),
        "link": lambda: os.link(secret, folder / "linked"),
        "symlink": lambda: os.symlink("secret", folder / "symlink"),
        "mkdir": lambda: os.mkdir(folder / "folder"),
        "mknod": lambda: os.mkfifo(folder / "fifo"),
        "truncate": lambda: os.truncate(writable, 0),
        "chmod": lambda: os.chmod(secret, 0o600),
        "fchmod of the photo": lambda: os.fchmod(photo, 0o600),
        "times of the photo": lambda: os.utime(photo),
        "lock the photo": lambda: fcntl.flock(photo, fcntl.LOCK_SH),
        "flags of the photo": lambda: fcntl.fcntl(photo, fcntl.F_SETFL, 0),
        "lease of the photo": lambda: fcntl.fcntl(photo, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        "signals by the kernel": lambda: fcntl.fcntl(connected, fcntl.F_SETOWN, victim),
        "ioctl": lambda: fcntl.ioctl(connected, 0x541B, bytes(4)),
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "socket of Unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        "socketpair": socket.socketpair,
        "connect": lambda: _call("connect", connected.fileno(), bytes(2), 2),
        "bind": lambda: _call("bind", connected.fileno(), b"\1\0", 2),
        "listen": lambda: server.listen(),
        "send on another socket": lambda: connected.send(b"x"),
        "send descriptors": lambda: socket.send_fds(connected, [b"x"], [photo]),
        "write": lambda: os.write(1, b"x"),
        "kill": lambda: os.kill(victim, 0),
        "tkill": lambda: _call("tkill", victim, 0),
        "tgkill": lambda: _call("tgkill", victim, victim, 0),
        "sigqueue": lambda: _call("rt_sigqueueinfo", victim, 0, (ctypes.c_int * 32)(0, 0, -1)),
        "pidfd_open": lambda: _call("pidfd_open", victim, 0),
        "pidfd_send_signal": lambda: signal.pidfd_send_signal(pidfd, 0),
        "ptrace": lambda: _call("ptrace", _PTRACE_SEIZE, victim, null, null),
        "process_vm_readv": lambda: _call("process_vm_readv", victim, piece, 1, piece, 0, 0),
        "process_vm_writev": lambda: _call("process_vm_writev", victim, piece, 1, piece, 0, 0),
        "limit a process": lambda: _call("prlimit64", victim, resource.RLIMIT_NOFILE, null, limit),
        "priority of a process": lambda: os.setpriority(os.PRIO_PROCESS, victim, 19),
        "cores of a process": lambda: os.sched_setaffinity(victim, os.sched_getaffinity(victim)),
        "fork": lambda: os.fork() or os._exit(0),
        "execve": lambda: os.execv(secret, [secret]),
        "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
        "memfd_create": lambda: _call("memfd_create", b"x", 0),
        "io_uring": lambda: _call("io_uring_setup", 1, (ctypes.c_uint32 * 30)()),
        "user namespace": lambda: _call("unshare", 0x10000000),
        "pipe": os.pipe,
        "prctl": sandbox.hide_memory,
    }


def _sweep() -> dict[str, Callable[[], object]]:
    """Each system call of this processor that is not allowed without a condition, with -1 for each argument."""
    names = {
        (_libseccomp.seccomp_syscall_resolve_num_arch(0, number) or b"").decode() for number in range(_LAST_CALL)
    } - {"", *seccomp._ALLOWED.split()}
    arguments = [ctypes.c_long(-1)] * 6
    return {name: partial(_call, name, *arguments) for name in sorted(names)}


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return "done"


def main() -> None:
    """Confines itself, makes the attempts and reports."""
    reader = socket.socket(fileno=0)
    how, folder, victim = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    attempts = _sweep() if how == "sweep" else _attempts(folder, victim)
    sandbox._prctl(sandbox._SET_NO_NEW_PRIVS, 1)
    if how == "landlock":
        assert landlock.restrict()
    elif how != "free":
        assert sandbox.confine(1_000_000).seccomp
    outcomes = {name: _outcome(attempt) for name, attempt in attempts.items()}
    thread = threading.Thread(target=lambda: outcomes.update(thread="done"))
    thread.start()
    thread.join()
    reader.sendall(json.dumps(outcomes).encode())


if __name__ == "__main__":
    main()
