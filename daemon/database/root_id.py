"""The id of a root: random, kept in the root and in its database, so that no two roots use one database."""

import errno
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from daemon.database import addresses
from daemon.database.addresses import DatabaseError
from daemon.database.schema import photos, roots
from daemon.database.timestamps import format_time
from daemon.fs import dirfd
from models.filenames import escape_name, unescape_name

FILE = "foodsort.id"
_ID_BYTES = 16
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}

Decision = Literal["same", "register", "adopt", "refuse"]


class RecordedRoot(NamedTuple):
    """The root that a database belongs to: its id, and the path that it last had."""

    root_id: str
    path: str


def decide(own: str | None, recorded: RecordedRoot | None, *, inside: bool, other_exists: bool) -> Decision:
    """Decides whether a root may use a database.

    Args:
        own: The id in the root.
        recorded: The root that the database belongs to.
        inside: Whether the database is a file in the root. Such a one may have been copied together with its root.
        other_exists: Whether another folder, at the recorded path, has the recorded id.

    Returns:
        "same" when the database belongs to the root, "register" when it belongs to none yet, "adopt" when the root has
        only lost its id, "refuse" when it belongs to another root.
    """
    if recorded is None:
        return "register"
    if own == recorded.root_id:
        return "same" if inside or not other_exists else "refuse"
    return "adopt" if own is None and inside and not other_exists else "refuse"


def claim(root: Path, engine: sa.Engine) -> bool:
    """Makes a database that of a root, or finds that it is already.

    Args:
        root: The root.
        engine: Its database, writable.

    Returns:
        Whether the root had another database before, which this one has no row of.

    Raises:
        DatabaseError: The database belongs to another root.
        OSError: The id cannot be read or written.
    """
    own = read(root)
    decision, recorded = _compare(root, own, engine)
    if decision == "adopt" and recorded:
        _write(root, recorded.root_id)
    elif decision == "register":
        root_id = own or _write(root, secrets.token_hex(_ID_BYTES))
        if root_id is not None:
            _register(root, root_id, engine)
    elif recorded and recorded.path != _path(root):
        with engine.begin() as connection:
            connection.execute(roots.update().values(path=_path(root)))
    return own is not None and decision == "register" and _is_empty(engine)


def check(root: Path, engine: sa.Engine) -> None:
    """Refuses a database that belongs to another root; changes nothing.

    Raises:
        DatabaseError: It belongs to another root, or the id cannot be read.
    """
    try:
        _compare(root, read(root), engine)
    except OSError as error:
        raise DatabaseError(f"{root / FILE} cannot be read: {error.strerror}") from error


def read(root: Path) -> str | None:
    """Returns the id of a root, None when it has none yet.

    Raises:
        OSError: The id cannot be read.
    """
    try:
        text = (root / FILE).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    return text or None


def _compare(root: Path, own: str | None, engine: sa.Engine) -> tuple[Decision, RecordedRoot | None]:
    """Decides, and raises DatabaseError where the decision is to refuse."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(roots.c.root_id, roots.c.path)).first()
    recorded = None if row is None else RecordedRoot(*row)
    other_exists = recorded is not None and _other_exists(root, recorded)
    decision = decide(own, recorded, inside=_is_inside(root, engine), other_exists=other_exists)
    if decision == "refuse" and recorded:
        raise DatabaseError(_refusal(root, recorded, engine, is_copy=own == recorded.root_id))
    return decision, recorded


def _refusal(root: Path, recorded: RecordedRoot, engine: sa.Engine, *, is_copy: bool) -> str:
    database = f"the database {_file(engine) or addresses.display(engine.url)} belongs to another root, {recorded.path}"
    if is_copy:
        return (
            f"{database}, of which {root} is a copy; give {root} a database of its own with the setting database.url,"
            f" and delete {root / FILE}"
        )
    return (
        f"{database}; give {root} a database of its own with the setting database.url."
        f" If it is the database of {root}, write {recorded.root_id} into {root / FILE}"
    )


def _other_exists(root: Path, recorded: RecordedRoot) -> bool:
    """Whether the recorded path has a root of this id that is not this root, reached by another path."""
    other = Path(os.fsdecode(unescape_name(recorded.path)))
    try:
        if read(other) != recorded.root_id or other.samefile(root):
            return False
        own_stat = os.stat(root / FILE)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    # The same folder mounted twice may show two devices. A copy has another time of its last change.
    return own_stat.st_ctime_ns != os.stat(other / FILE).st_ctime_ns


def _file(engine: sa.Engine) -> Path | None:
    """The SQLite file of an engine, which one that only reads does not have in its URL; None for a server's database."""
    path: Path | None = engine.get_execution_options().get("file")
    return path or addresses.sqlite_file(engine.url)


def _is_inside(root: Path, engine: sa.Engine) -> bool:
    path = _file(engine)
    return path is not None and os.path.dirname(os.path.realpath(path)) == os.path.realpath(root)


def _register(root: Path, root_id: str, engine: sa.Engine) -> None:
    row = {"id": 1, "root_id": root_id, "path": _path(root), "first_used_at": format_time(datetime.now(UTC))}
    try:
        with engine.begin() as connection:
            connection.execute(roots.insert().values(row))
    except IntegrityError:  # another root was faster
        check(root, engine)


def _write(root: Path, root_id: str) -> str | None:
    """Writes the id of a root and returns it; None where the root is read-only."""
    try:
        fd = os.open(root / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in _READ_ONLY:
            return None
        raise
    try:
        os.write(fd, f"{root_id}\n".encode())
        dirfd.sync(fd)
    finally:
        os.close(fd)
    dirfd.sync_folder(os.fsencode(root))
    return root_id


def _path(root: Path) -> str:
    return escape_name(os.fsencode(os.path.realpath(root)))


def _is_empty(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(sa.select(photos.c.id).limit(1)).first() is None
