"""Opens the results database: SQLite in WAL mode, or any SQLAlchemy URL; brings its schema up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from daemon.database import snapshot
from daemon.database.addresses import BUSY_S, IN_MEMORY, DatabaseError, file_of, newer
from daemon.database.schema import REVISION

_LIBPQ = {"connect_timeout": BUSY_S, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""A server that is gone without a word is missed within a minute, not after the two hours that are Linux's default (s)."""


def connect(address: sa.URL) -> sa.Engine:
    """Opens the database, makes or migrates its tables. Raises DatabaseError, OSError."""
    folder = Path(address.database or "").absolute().parent
    if address.get_backend_name() == "sqlite" and not folder.is_dir():
        raise DatabaseError(f"the database {address!r} cannot be used: the folder {folder} is not there; make it")
    engine = _engine(address)
    try:
        with engine.connect() as connection:
            revision = _revision(connection)
        if revision != REVISION:
            from daemon.database.migrate import upgrade  # Alembic takes its time to load, and is needed once

            upgrade(engine, revision)
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseError(f"the database {address!r} cannot be used: {error.orig}") from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def reading(address: sa.URL) -> sa.Engine:
    """Opens a database that the daemon has made, to read it. Raises DatabaseError."""
    path = _made(address)
    if path is None:
        return _current(address, _engine(address))
    return _current(address, snapshot.engine(path, BUSY_S))


def writing(address: sa.URL) -> sa.Engine:
    """Opens a database that the daemon has made, to change its rows beside it. Raises DatabaseError."""
    _made(address)
    return _current(address, _engine(address))


@contextmanager
def told() -> Iterator[None]:
    """Turns what a database refuses (locked, full, gone) into DatabaseError, where nothing tries again."""
    try:
        yield
    except DBAPIError as error:
        raise _refused(error) from error


def _refused(error: DBAPIError) -> DatabaseError:
    if damaged(error.orig):
        return DatabaseError(
            f"the database is damaged ({error.orig}); start foodsort again: it moves the file aside and begins a new one"
        )
    return DatabaseError(f"the database cannot be used: {error.orig}; foodsort can be started again at any time")


def _made(address: sa.URL) -> Path | None:
    """Path of an SQLite database that is there, None for another kind. Raises DatabaseError when it is not there."""
    path = file_of(address)
    if path is not None and not path.exists():
        raise DatabaseError(f"{path} is not there; `foodsort run` makes it when it sorts the first photo")
    return path


def _current(address: sa.URL, engine: sa.Engine) -> sa.Engine:
    """The engine, if its schema is the one that this version reads and writes."""
    try:
        with engine.connect() as connection:
            revision = _revision(connection)
    except DBAPIError as error:
        engine.dispose()
        if damaged(error.orig):
            raise _refused(error) from error
        if _kind(error.orig) in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            raise DatabaseError(
                f"the database {address!r} may not be used ({error.orig}); its owner can give you the rights to it and its folder"
            ) from error
        raise DatabaseError(f"the database {address!r} cannot be read: {error.orig}") from error
    if revision != REVISION:
        engine.dispose()
        if revision is not None and revision > REVISION:
            raise newer(address, revision)
        raise DatabaseError(
            f"the database {address!r} is of schema {revision}, not {REVISION}; start `foodsort run` once"
        )
    return engine


def damaged(error: BaseException | None) -> bool:
    """Whether SQLite says that the file itself is wrong."""
    return _kind(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _kind(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code and code & 0xFF  # the low byte says what kind it is, the others give details


def _engine(address: sa.URL) -> sa.Engine:
    kind = address.get_backend_name()
    options: dict[str, Any] = {}
    if address == IN_MEMORY:  # one connection for all threads: each other one would open a database of its own
        options = {"poolclass": sa.StaticPool, "connect_args": {"check_same_thread": False}}
    elif kind == "sqlite":
        options = {"connect_args": {"timeout": BUSY_S}}
    elif address.drivername == "postgresql+psycopg":
        options = {"connect_args": _LIBPQ | {name: value for name, value in address.query.items() if name in _LIBPQ}}
    try:
        engine = sa.create_engine(address, **options)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        brings = "; `pip install 'foodsort[postgres]'` brings one" if kind == "postgresql" else ""
        raise DatabaseError(f"no driver for {address.drivername}: {error}{brings}") from error
    if kind in _PREPARE:
        sa.event.listen(engine, "connect", _PREPARE[kind])
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers never wait for the daemon, nor it for them
    cursor.execute("PRAGMA synchronous = FULL")  # a photo moves only after its row is on the disk
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # A photo moves only after its row is on the disk, whatever the server's default is.
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.execute("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")
    (encoding,) = cursor.fetchone()
    cursor.close()
    connection.commit()
    if encoding != "UTF8":  # names of photos may be in any script
        raise DatabaseError(f"the database keeps text as {encoding}; make it anew with ENCODING 'UTF8'")


_PREPARE = {"sqlite": _prepare_sqlite, "postgresql": _prepare_postgresql}


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
