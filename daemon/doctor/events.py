"""Events: whether the system tells what happens in the inbox, and how near its limits are."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daemon.doctor import CheckedRoot, Finding
from daemon.fs import mounts
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import PROBE, InotifySource
from daemon.inbox.watcher import SELF_TEST_S

_LIMITS = Path("/proc/sys/user")
_NEAR = 0.8


def check(place: CheckedRoot) -> Iterator[Finding]:
    """Whether events come, and one finding a limit."""
    if place.inbox.is_dir():
        yield _events(place)
    else:
        yield Finding("events", "ok", "not tried: there is no inbox yet")
    watches, instances = _in_use()
    yield from _limit("max_inotify_watches", "fs.inotify.max_user_watches", watches)
    yield from _limit("max_inotify_instances", "fs.inotify.max_user_instances", instances)


def _events(place: CheckedRoot) -> Finding:
    polled = f"the daemon looks every {place.settings.watch.poll_s:g} s instead"
    mount = mounts.mount_of(place.inbox)
    if mount and mount.shared:
        return Finding("events", "warning", f"on {mount.type} others may change files without an event; {polled}")
    probe = place.inbox / f".foodsort-{os.fsdecode(PROBE)}-{os.getpid()}"
    try:
        # Nothing of the inbox is watched but its top: that tells, and takes one watch where a daemon holds many.
        watch = InotifySource(
            place.inbox, IgnoreRules(("*",)), lambda _: None, recursive=False, probe=os.fsencode(probe.name)
        )
    except OSError as error:
        return Finding("events", "warning", f"{error.strerror}; {polled}; raise the limit with sysctl")
    try:
        probe.touch()
        probe.unlink()
        if watch.await_probe(SELF_TEST_S):
            return Finding("events", "ok", "a file was written and its event came")
        return Finding("events", "warning", f"a file was written and no event came of it; {polled}")
    except OSError as error:
        return Finding("events", "warning", f"whether they come cannot be tried: {error.strerror}")
    finally:
        watch.stop()


def _limit(name: str, sysctl: str, used: int) -> Iterator[Finding]:
    try:
        limit = int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return
    said = f"{used} of {limit} of this user in use"
    if used > limit * _NEAR:
        yield Finding(name, "warning", f"{said}; raise it, for instance: sysctl {sysctl}={max(2 * limit, 128)}")
    else:
        yield Finding(name, "ok", said)


def _in_use() -> tuple[int, int]:
    """Watches and instances of inotify that processes of this user hold, as far as they may be seen."""
    watches = instances = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid != os.geteuid():
                continue
            for fd in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(fd) == "anon_inode:inotify":
                        instances += 1
                        watches += (process / "fdinfo" / fd.name).read_text().count("inotify wd:")
    return watches, instances
