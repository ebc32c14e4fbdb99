"""Runs in place of the daemon: tries the actions of an attacker and prints each outcome as JSON."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def _send(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"?", (address, 9))


def _in(folder: str) -> None:
    path = Path(folder, "probe")
    path.touch()
    path.unlink()


def _setgid(folder: str) -> None:
    path = Path(folder, "setgid")
    path.mkdir()
    try:
        path.chmod(0o2770)
    finally:
        path.rmdir()


ACTIONS: dict[str, Callable[[], object]] = {
    "read /etc/shadow": lambda: Path("/etc/shadow").read_text(),
    "see /home": lambda: os.listdir("/home"),
    "see /root": lambda: os.listdir("/root"),
    "write /var/lib/foodsort": lambda: _in("/var/lib/foodsort"),
    "write /var/lib/foodsort/inbox": lambda: _in("/var/lib/foodsort/inbox"),
    "write /var/cache/foodsort": lambda: _in("/var/cache/foodsort"),
    "write /var/tmp, its own": lambda: _in("/var/tmp"),
    "write /var/lib/open": lambda: _in("/var/lib/open"),
    "write /dev/shm": lambda: _in("/dev/shm"),
    "talk to this machine": lambda: _send("127.0.0.1"),
    "talk to another machine": lambda: _send("192.0.2.1"),
    "make an AF_UNIX socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "make an AF_NETLINK socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "make a user namespace": lambda: subprocess.run(["unshare", "--user", "true"], check=True, capture_output=True),
    "make a setgid folder": lambda: _setgid("/var/lib/foodsort"),
    "see another's process": lambda: os.stat("/proc/1"),
    "open /dev/full": lambda: os.close(os.open("/dev/full", os.O_WRONLY)),
    "write /proc/sys": lambda: Path("/proc/sys/kernel/core_pattern").write_text("core"),
    "bind a thread to a core": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "take priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
}


def main() -> None:
    outcomes = {}
    for name, action in ACTIONS.items():
        try:
            action()
        except (OSError, subprocess.CalledProcessError) as error:
            outcomes[name] = type(error).__name__
        else:
            outcomes[name] = "done"
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
