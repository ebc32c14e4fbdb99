"""Opens the results database: SQLite in WAL mode, or any SQLAlchemy URL; brings its schema up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from daemon.schema import REVISION
from models.errors import FoodsortError

FILE = "foodsort.db"
BUSY_S = 5
"""How long SQLite itself waits for a lock; the daemon tries again after that, and meanwhile can be told to stop."""
IN_MEMORY = sa.URL.create("sqlite", database=":memory:")
"""A database for a dry run, gone when it ends."""


class DatabaseError(FoodsortError):
    """Raised when the database is missing, cannot be opened, or was written by a newer foodsort."""


def url(root: Path, setting: str) -> sa.URL:
    """The database's URL by the setting `database.url`. Raises DatabaseError when it is none."""
    if not setting:
        return sa.URL.create("sqlite", database=str(root.absolute() / FILE))
    try:
        return sa.make_url(setting)
    except ArgumentError as error:
        raise DatabaseError(f"database.url is no SQLAlchemy URL: {error}") from error


def file_of(address: sa.URL) -> Path | None:
    """The file of a SQLite database, None for one in memory or on a server."""
    named = address.get_backend_name() == "sqlite" and address.database not in {None, "", ":memory:"}
    return Path(str(address.database)) if named else None


def connect(address: sa.URL) -> sa.Engine:
    """Opens the database, makes or migrates its tables. Raises DatabaseError."""
    folder = Path(address.database or "").absolute().parent
    if address.get_backend_name() == "sqlite" and not folder.is_dir():
        raise DatabaseError(f"the database {address!r} cannot be used: the folder {folder} is not there; make it")
    engine = _engine(address)
    try:
        with engine.connect() as connection:
            revision = _revision(connection)
        if revision != REVISION:
            _migrate(engine, revision)
    except DBAPIError as error:
        engine.dispose()
        raise DatabaseError(f"the database {address!r} cannot be used: {error.orig}") from error
    return engine


def reading(address: sa.URL) -> sa.Engine:
    """Opens a database that the daemon has made, to read it. Raises DatabaseError."""
    path = _made(address)
    if path is None:
        return _current(address, _engine(address))
    # Each use opens it anew. By its address SQLAlchemy takes it for one in memory: it would keep a connection for each of a few
    # threads, and fail, with a traceback in the log, at closing those of more.
    engine = sa.create_engine("sqlite://", creator=lambda: _read_only(path), poolclass=sa.NullPool)
    return _current(address, engine)


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
        if damaged(error.orig):
            raise DatabaseError(
                f"the database is damaged ({error.orig}); start foodsort again: it moves the file aside and begins a new one"
            ) from error
        raise DatabaseError(
            f"the database cannot be used: {error.orig}; foodsort can be started again at any time"
        ) from error


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
        raise DatabaseError(f"the database {address!r} cannot be read: {error.orig}") from error
    if revision != REVISION:
        raise DatabaseError(
            f"the database {address!r} is of schema {revision}, not {REVISION}; start `foodsort run` once"
        )
    return engine


def damaged(error: BaseException | None) -> bool:
    """Whether SQLite says that the file itself is wrong."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte says what kind it is, the others give details.
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _engine(address: sa.URL) -> sa.Engine:
    sqlite = address.get_backend_name() == "sqlite"
    try:
        if address == IN_MEMORY:  # one connection for all threads: each other one would open a database of its own
            engine = sa.create_engine(address, poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
        else:
            engine = sa.create_engine(address, connect_args={"timeout": BUSY_S} if sqlite else {})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise DatabaseError(
            f"no driver for {address.drivername}: {error}; `pip install foodsort[postgres]` brings one"
        ) from error
    if sqlite:
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _read_only(path: Path) -> sqlite3.Connection:
    """Leaves nothing beside the database, not even where SQLite would: the daemon could not open a reader's files."""
    # Without a log nobody has it open, so nothing needs to be locked, and no log is made.
    alone = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro{alone}", uri=True, timeout=BUSY_S)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers never wait for the daemon, nor it for them
    cursor.execute("PRAGMA synchronous = FULL")  # a photo moves only after its row is on the disk
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: sa.Engine, revision: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"the database {engine.url!r} was written by a newer foodsort (schema {revision}); install that"
        )
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
