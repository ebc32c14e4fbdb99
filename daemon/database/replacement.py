"""Puts what was saved of a damaged database in its place. The damaged file is kept."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from daemon import failpoints
from daemon.database import copies
from daemon.database.addresses import LOG_SUFFIXES
from daemon.database.salvage import salvage
from daemon.database.timestamps import file_stamp
from daemon.fs import dirfd

_SALVAGED = ".salvaged-"


class Replacement(NamedTuple):
    """A database that was replaced.

    Attributes:
        counts: Number of saved rows by table.
        damaged: Where the damaged file is now.
    """

    counts: dict[str, int]
    damaged: Path


def replace(database: Path) -> Replacement:
    """Replaces a damaged database by what can be read of it.

    If this process is killed, `complete` does the rest, or nothing has changed.

    Raises:
        DatabaseError, OSError: There is no room for the new file, for instance.
    """
    part = database.with_name(f"{database.name}.salvage.part")
    copies.remove_part(part)
    try:
        counts = salvage(database, part)
        shutil.copymode(database, part)
        fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            dirfd.sync(fd)
        finally:
            os.close(fd)
        stamp = file_stamp()
        os.rename(part, f"{database}{_SALVAGED}{stamp}-{database.stat().st_ino}")
    finally:
        copies.remove_part(part)
    dirfd.sync_folder(os.fsencode(database.parent))
    failpoints.failpoint("salvaged")
    damaged = complete(database)
    assert damaged is not None
    return Replacement(counts, damaged)


def complete(database: Path) -> Path | None:
    """Completes a replacement that was killed.

    Returns:
        Where the damaged file is now; None when there is nothing to complete.

    Raises:
        OSError: A file cannot be renamed.
    """
    found = _salvaged(database)
    if found is None:
        return None
    salvaged, stamp = found
    damaged = database.with_name(f"{database.name}.corrupt-{stamp}")
    # The log first: SQLite would apply it to the new file.
    for suffix in LOG_SUFFIXES:
        with suppress(FileNotFoundError):
            os.rename(f"{database}{suffix}", f"{damaged}{suffix}")
    failpoints.failpoint("log_aside")
    try:
        os.link(database, damaged)
    except (FileExistsError, FileNotFoundError):
        pass  # an earlier call did that
    except OSError:  # a filesystem without hard links
        os.rename(database, damaged)
    os.replace(salvaged, database)
    dirfd.sync_folder(os.fsencode(database.parent))
    return damaged


def _salvaged(database: Path) -> tuple[Path, str] | None:
    """The newest complete file that was saved of this database, and its time; not of one that was put there since."""
    inode = database.stat().st_ino if database.exists() else None
    prefix = f"{database.name}{_SALVAGED}"
    for name in sorted(os.listdir(database.parent), reverse=True):
        stamp, _, of_inode = name.removeprefix(prefix).partition("-")
        if name.startswith(prefix) and inode in {None, int(of_inode)}:
            return database.with_name(name), stamp
    return None
