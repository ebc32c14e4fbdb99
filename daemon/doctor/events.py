"""Checks of file events: whether they arrive from the inbox, and how close inotify is to its limits."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from daemon.doctor.finding import CheckedRoot, Finding
from daemon.fs import mounts
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import PROBE, InotifySource
from daemon.inbox.watcher import SELF_TEST_S

_LIMITS = Path("/proc/sys/user")
_NEAR_LIMIT = 0.8  # share of a limit in use
_LOWEST_ADVICE = 128


class _Usage(NamedTuple):
    """inotify watches and instances in use.

    Attributes:
        watches: Number of watches.
        instances: Number of instances.
        hidden: Number of processes whose use only root can see, such as the daemon.
    """

    watches: int
    instances: int
    hidden: int


def check(root: CheckedRoot) -> Iterator[Finding]:
    """Tries an event, and compares each limit with its use."""
    if root.inbox.is_dir():
        yield _event_arrives(root)
    else:
        yield Finding("events", "ok", "not tried: the inbox does not exist yet")
    usage = _usage()
    yield from _limit("max_inotify_watches", "fs.inotify.max_user_watches", usage.watches, usage.hidden)
    yield from _limit("max_inotify_instances", "fs.inotify.max_user_instances", usage.instances, usage.hidden)


def _event_arrives(root: CheckedRoot) -> Finding:
    polling = f"the daemon polls the inbox every {root.settings.watch.poll_s:g} s instead"
    mount = mounts.mount_of(root.inbox)
    if mount and mount.shared:
        message = f"on {mount.type} others may change files without an event; {polling}"
        return Finding("events", "warning", message)
    probe = root.inbox / f"{os.fsdecode(PROBE)}-{os.getpid()}"
    try:
        # Only the top folder: that is enough for the test and takes one watch, where a daemon needs many.
        source = InotifySource(
            root.inbox, IgnoreRules(("*",)), lambda _: None, recursive=False, probe=os.fsencode(probe.name)
        )
    except OSError as error:
        return Finding("events", "warning", f"{error.strerror}; {polling}; raise the limit with sysctl")
    try:
        probe.touch()
        probe.unlink()
        if source.await_probe(SELF_TEST_S):
            return Finding("events", "ok", "a test file was written and its event arrived")
        return Finding("events", "warning", f"a test file was written and no event arrived; {polling}")
    except OSError as error:
        return Finding("events", "warning", f"no test file can be written: {error.strerror}")
    finally:
        source.stop()


def _limit(name: str, sysctl: str, used: int, hidden: int) -> Iterator[Finding]:
    try:
        limit = int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return
    message = f"this user's processes use {used} of {limit}"
    if hidden:
        message += f"; not counted: the daemon and others whose use only root can see ({hidden})"
    if used > limit * _NEAR_LIMIT:
        advice = f"raise the limit, for example: sysctl {sysctl}={max(2 * limit, _LOWEST_ADVICE)}"
        yield Finding(name, "warning", f"{message}; {advice}")
    else:
        yield Finding(name, "ok", message)


def _usage() -> _Usage:
    """Counts the watches and instances of this user's processes, as far as their descriptors are visible."""
    watches = instances = hidden = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if not _is_ours(process):
                continue
            try:
                fds = list((process / "fd").iterdir())
            except PermissionError:
                hidden += 1
                continue
            for fd in fds:
                with suppress(OSError):
                    if os.readlink(fd) == "anon_inode:inotify":
                        instances += 1
                        watches += (process / "fdinfo" / fd.name).read_text().count("inotify wd:")
    return _Usage(watches, instances, hidden)


def _is_ours(process: Path) -> bool:
    """Whether this user runs a process. The owner of its folder is root if it hides its memory, as the daemon does."""
    uids = re.search(r"^Uid:\s+\d+\s+(\d+)", (process / "status").read_text(), re.MULTILINE)
    return uids is not None and int(uids[1]) == os.geteuid()
