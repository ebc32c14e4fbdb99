"""Checks of the folders: they exist, are readable and writable, on one filesystem, with free space."""

import errno
import grp
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daemon.doctor.finding import CheckedRoot, Finding
from daemon.fs import dirfd
from daemon.inbox.ignore import IgnoreRules
from models.filenames import escape_name

_PROBE = ".foodsort-doctor"
_LOW = 0.05  # share of free space or inodes below which there is a warning
_MOST_NAMED = 10


def check(root: CheckedRoot) -> Iterator[Finding]:
    """One finding for each folder, on filesystems, for each filesystem's free space, and for each file closed to us."""
    usable = []
    for name, path in root.folders.items():
        finding = _folder(name, path)
        if finding.level != "warning" and path.is_dir():
            usable.append(path)
        yield finding
    yield from _filesystems(root, usable)
    yield from _room({path.stat().st_dev: path for path in (root.path, *usable) if path.is_dir()})
    if root.inbox.is_dir():
        yield from _closed_files(root)


def _folder(name: str, path: Path) -> Finding:
    if not os.path.lexists(path):
        return Finding(name, "warning", f"{path} does not exist yet; `foodsort run` creates it")
    if not path.is_dir():
        return Finding(name, "problem", f"{path} is not a folder; move it away")
    probe = path / f"{_PROBE}-{os.getpid()}"
    try:
        os.listdir(path)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return Finding(name, "problem", f"{path}: {error.strerror}; {_fix(error, path)}")
    return Finding(name, "ok", f"{path} is readable and writable")


def _fix(error: OSError, path: Path) -> str:
    if isinstance(error, PermissionError):
        return f"give the daemon's user access: chown {os.geteuid()}:{os.getegid()} {path}, chmod u+rwx {path}"
    return "check its disk; the daemon waits until the folder is writable"


def _filesystems(root: CheckedRoot, folders: list[Path]) -> Iterator[Finding]:
    if not root.inbox.is_dir():
        return
    device = root.inbox.stat().st_dev
    elsewhere = [str(path) for path in folders if path.stat().st_dev != device]
    if elsewhere:
        message = (
            f"not on the filesystem of the inbox: {', '.join(elsewhere)}; photos are copied there, which is slower"
        )
        yield Finding("filesystem", "warning", message)
    else:
        yield Finding("filesystem", "ok", "all folders are on one, so photos are renamed and not copied")


def _room(filesystems: dict[int, Path]) -> Iterator[Finding]:
    for path in filesystems.values():
        usage = shutil.disk_usage(path)
        inodes = os.statvfs(path)
        message = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free at {path}"
        if _lacks_inodes(path, inodes):
            yield Finding("room", "warning", f"{message}, but few inodes ({inodes.f_favail}); remove some files")
        elif usage.free / max(usage.total, 1) < _LOW:
            yield Finding("room", "warning", f"{message}; free some space, as the daemon waits while the disk is full")
        else:
            yield Finding("room", "ok", message)


def _lacks_inodes(path: Path, inodes: os.statvfs_result) -> bool:
    """Whether a filesystem has few inodes left. Some filesystems count none, or none as free, and have no limit."""
    if not inodes.f_files or inodes.f_favail:
        return inodes.f_favail < _LOW * inodes.f_files
    probe = path / f"{_PROBE}-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False


def _closed_files(root: CheckedRoot) -> Iterator[Finding]:
    """Files and folders in the inbox that we may not read or move; copies need no right to move."""
    verbs = "read" if root.settings.watch.take == "copy" else "read or moved"
    folders: list[bytes] = []
    inbox = dirfd.open_root(os.fsencode(root.inbox))
    try:
        ignored = IgnoreRules(root.settings.watch.ignore)
        files = dirfd.walk(inbox, b"", ignored, lambda path, _: folders.append(path))
        closed = [
            path for path, stat in files if dirfd.is_regular(stat) and not _is_open(inbox, path, moves=verbs != "read")
        ]
    finally:
        os.close(inbox)
    closed += [path + b"/" for path in folders]
    for path in closed[:_MOST_NAMED]:
        message = f"{escape_name(path)} cannot be {verbs} by this user; {_owner_fix(path)}"
        yield Finding("inbox", "warning", message)
    if len(closed) > _MOST_NAMED:
        more = len(closed) - _MOST_NAMED
        yield Finding("inbox", "warning", f"{more} more cannot be {verbs} by this user")
    if not closed:
        yield Finding("inbox", "ok", "all its files can be read" + (" and moved" if verbs != "read" else ""))


def _owner_fix(path: bytes) -> str:
    """The command for a file's owner; for its whole top folder, as all of that arrived with the wrong permissions."""
    group = str(os.getegid())
    top = shlex.quote(escape_name(path.split(b"/")[0]))
    with suppress(KeyError):
        group = grp.getgrgid(int(group)).gr_name
    return f"its owner can fix that: chgrp -R {group} {top}; chmod -R g+rwX {top}"


def _is_open(inbox: int, path: bytes, *, moves: bool) -> bool:
    """Whether this user may read a file and, if it `moves`, move it out of its folder."""
    parent, _ = dirfd.split(path)
    try:
        may_read = os.access(path, os.R_OK, dir_fd=inbox, effective_ids=True)
        folder = parent or b"."
        return may_read and (not moves or os.access(folder, os.W_OK | os.X_OK, dir_fd=inbox, effective_ids=True))
    except OSError:
        return False
