"""Opens the results database: SQLite in WAL mode, or any SQLAlchemy URL. Migrates its schema to this version."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from daemon.database import snapshot
from daemon.database.addresses import BUSY_TIMEOUT_S, IN_MEMORY, DatabaseError, display, newer_schema_error, sqlite_file
from daemon.database.schema import REVISION

_LIBPQ_OPTIONS = {
    "connect_timeout": BUSY_TIMEOUT_S,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Notices within a minute that a server vanished without closing its connections (s); Linux's default is two hours."""


def connect(address: sa.URL) -> sa.Engine:
    """Opens the database for the daemon; creates or migrates its tables.

    Raises:
        DatabaseError: The database cannot be used, or a newer foodsort wrote it.
        OSError: There is no room for the copy that a migration makes.
    """
    folder = Path(address.database or "").absolute().parent
    if address.get_backend_name() == "sqlite" and not folder.is_dir():
        raise DatabaseError(
            f"the database {display(address)} cannot be used: the folder {folder} does not exist; create it"
        )
    engine = _create_engine(address)
    try:
        with engine.connect() as connection:
            revision = _read_revision(connection)
        if revision != REVISION:
            from daemon.database.migrate import upgrade  # Alembic is slow to import and rarely needed

            upgrade(engine, revision)
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseError(f"the database {display(address)} cannot be used: {error.orig}") from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def connect_to_read(address: sa.URL) -> sa.Engine:
    """Opens an existing database read-only.

    Raises:
        DatabaseError: It does not exist, cannot be read or has another schema.
    """
    path = _check_exists(address)
    if path is None:
        return _check_schema(address, _create_engine(address))
    return _check_schema(address, snapshot.read_only_engine(path, BUSY_TIMEOUT_S))


def connect_to_write(address: sa.URL, *, keep_open: bool = True) -> sa.Engine:
    """Opens an existing database to change its rows while the daemon may run.

    Args:
        address: The database.
        keep_open: Whether connections to an SQLite file stay open. A process that runs for long opens the file for each
            use: it may be renamed or replaced at any time.

    Raises:
        DatabaseError: It does not exist, cannot be used or has another schema.
    """
    path = _check_exists(address)
    if path is None:
        return _check_schema(address, _create_engine(address))
    engine = _create_engine(address, keep_open=keep_open)
    # SQLite would create an empty file in the place of one that was removed.
    sa.event.listen(engine, "do_connect", lambda *_: _check_exists(address) and None)
    return _check_schema(address, engine)


@contextmanager
def database_errors() -> Iterator[None]:
    """Turns errors of the database driver (locked, full, gone) into DatabaseError, for code that does not retry."""
    try:
        yield
    except DBAPIError as error:
        raise _usage_error(error) from error


def is_damaged(error: BaseException | None) -> bool:
    """Whether SQLite reports that the file itself is damaged."""
    return _primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _usage_error(error: DBAPIError) -> DatabaseError:
    if is_damaged(error.orig):
        return DatabaseError(
            f"the database is damaged or its disk cannot be read ({error.orig}); start foodsort again:"
            " it checks the file and names the remedy"
        )
    return DatabaseError(f"the database cannot be used: {error.orig}; foodsort can be started again at any time")


def _check_exists(address: sa.URL) -> Path | None:
    """Returns the path of an SQLite database, None for another kind; raises DatabaseError when the file is missing."""
    path = sqlite_file(address)
    if path is not None and not path.exists():
        raise DatabaseError(f"{path} does not exist; `foodsort run` creates it when it sorts the first photo")
    return path


def _check_schema(address: sa.URL, engine: sa.Engine) -> sa.Engine:
    """Returns the engine if its schema is that of this version; otherwise closes it and raises DatabaseError."""
    try:
        with engine.connect() as connection:
            revision = _read_revision(connection)
    except DBAPIError as error:
        engine.dispose()
        if is_damaged(error.orig):
            raise _usage_error(error) from error
        if _primary_code(error.orig) in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            raise DatabaseError(
                f"no permission to use the database {display(address)} ({error.orig});"
                " its owner can grant rights to the file and its folder"
            ) from error
        raise DatabaseError(f"the database {display(address)} cannot be read: {error.orig}") from error
    if revision != REVISION:
        engine.dispose()
        if revision is not None and revision > REVISION:
            raise newer_schema_error(address, revision)
        raise DatabaseError(
            f"the database {display(address)} has schema {revision}, not {REVISION}; start `foodsort run` once to migrate it"
        )
    return engine


def _primary_code(error: BaseException | None) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code and code & 0xFF  # the other bytes of an extended code give details


def _create_engine(address: sa.URL, *, keep_open: bool = True) -> sa.Engine:
    kind = address.get_backend_name()
    options: dict[str, Any] = {}
    if address == IN_MEMORY:  # all threads share one connection: each further one would open another empty database
        options = {"poolclass": sa.StaticPool, "connect_args": {"check_same_thread": False}}
    elif kind == "sqlite":
        options = {"connect_args": {"timeout": BUSY_TIMEOUT_S}}
        if not keep_open:
            options["poolclass"] = sa.NullPool
    elif address.drivername == "postgresql+psycopg":
        overrides = {name: value for name, value in address.query.items() if name in _LIBPQ_OPTIONS}
        options = {"connect_args": _LIBPQ_OPTIONS | overrides}
    try:
        engine = sa.create_engine(address, **options)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        hint = "; `pip install 'foodsort[postgres]'` installs one" if kind == "postgresql" else ""
        raise DatabaseError(f"no driver for {address.drivername}: {error}{hint}") from error
    if kind in _CONFIGURE:
        sa.event.listen(engine, "connect", _CONFIGURE[kind])
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and the daemon never wait for each other
    cursor.execute("PRAGMA synchronous = FULL")  # a photo moves only after its row is on the disk
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _configure_postgresql(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # A photo moves only after its row is on the disk; the server's default may be weaker.
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.execute("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")
    (encoding,) = cursor.fetchone()
    cursor.close()
    connection.commit()
    if encoding != "UTF8":  # photo names may be in any script
        raise DatabaseError(f"the database stores text as {encoding}; create it again with ENCODING 'UTF8'")


_CONFIGURE = {"sqlite": _configure_sqlite, "postgresql": _configure_postgresql}


def _read_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
