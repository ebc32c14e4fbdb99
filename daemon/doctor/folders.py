"""Folders: there, open to us, on one filesystem, with room; and what of the inbox will have to stay."""

import grp
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from daemon.doctor import CheckedRoot, Finding
from daemon.fs import dirfd
from daemon.inbox.ignore import IgnoreRules
from models.filenames import escape_name

_PROBE = ".foodsort-doctor"
_FULL = 0.05  # less than a twentieth left is worth a warning
_NAMED = 10


def check(place: CheckedRoot) -> Iterator[Finding]:
    """One finding a folder, one on filesystems, one a filesystem on room, and one a file that is not for us."""
    there = []
    for name, path in place.folders.items():
        finding = _folder(name, path)
        if finding.level != "warning":
            there.append(path)
        yield finding
    there = [path for path in there if path.is_dir()]
    yield from _filesystems(place, there)
    yield from _room({path.stat().st_dev: path for path in (place.root, *there) if path.is_dir()})
    if place.inbox.is_dir():
        yield from _strangers(place)


def _folder(name: str, path: Path) -> Finding:
    if not os.path.lexists(path):
        return Finding(name, "warning", f"{path} is not there yet; `foodsort run` makes it")
    if not path.is_dir():
        return Finding(name, "problem", f"{path} is no folder; move it away")
    probe = path / f"{_PROBE}-{os.getpid()}"
    try:
        os.listdir(path)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return Finding(name, "problem", f"{path}: {error.strerror}; {_mend(error, path)}")
    return Finding(name, "ok", f"{path} can be read and written")


def _mend(error: OSError, path: Path) -> str:
    if isinstance(error, PermissionError):
        return f"let the daemon's user in: chown {os.geteuid()}:{os.getegid()} {path}, chmod u+rwx {path}"
    return "see to its disk; the daemon waits until it can be written"


def _filesystems(place: CheckedRoot, folders: list[Path]) -> Iterator[Finding]:
    if not place.inbox.is_dir():
        return
    device = place.inbox.stat().st_dev
    away = [str(path) for path in folders if path.stat().st_dev != device]
    if away:
        message = (
            f"{', '.join(away)}: on another filesystem than the inbox, so each photo is copied, which takes longer"
        )
        yield Finding("filesystem", "warning", message)
    else:
        yield Finding("filesystem", "ok", "all folders lie on one, so photos are renamed, not copied")


def _room(filesystems: dict[int, Path]) -> Iterator[Finding]:
    for path in filesystems.values():
        usage, inodes = shutil.disk_usage(path), os.statvfs(path)
        free, nodes = usage.free / max(usage.total, 1), inodes.f_favail / max(inodes.f_files, 1)
        said = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free at {path}"
        if inodes.f_files and nodes < _FULL:
            yield Finding("room", "warning", f"{said}, but few inodes ({inodes.f_favail}); remove some files")
        elif free < _FULL:
            yield Finding("room", "warning", f"{said}; the daemon waits when there is none, so make some")
        else:
            yield Finding("room", "ok", said)


def _strangers(place: CheckedRoot) -> Iterator[Finding]:
    """What lies in the inbox and may not be read or moved by us."""
    closed: list[bytes] = []
    root = dirfd.open_root(os.fsencode(place.inbox))
    try:
        found = dirfd.walk(root, b"", IgnoreRules(place.settings.watch.ignore), lambda path, _: closed.append(path))
        kept = [path for path, stat in found if dirfd.is_regular(stat) and not _ours(root, path)]
    finally:
        os.close(root)
    kept += [path + b"/" for path in closed]
    for path in kept[:_NAMED]:
        yield Finding("inbox", "warning", f"{escape_name(path)} may not be read or moved by us; {_let_in(path)}")
    if len(kept) > _NAMED:
        yield Finding("inbox", "warning", f"{len(kept) - _NAMED} more may not be read or moved by us")
    if not kept:
        yield Finding("inbox", "ok", "all that lies there may be read and moved")


def _let_in(path: bytes) -> str:
    """What the owner of a file of the inbox can do: for all of the folder that came with it, since that is what came wrong."""
    group, top = str(os.getegid()), shlex.quote(escape_name(path.split(b"/")[0]))
    with suppress(KeyError):
        group = grp.getgrgid(int(group)).gr_name
    return f"its owner mends it with: chgrp -R {group} {top}; chmod -R g+rwX {top}"


def _ours(root: int, path: bytes) -> bool:
    parent, _ = dirfd.split(path)
    try:
        return os.access(path, os.R_OK, dir_fd=root, effective_ids=True) and os.access(
            parent or b".", os.W_OK | os.X_OK, dir_fd=root, effective_ids=True
        )
    except OSError:
        return False
