"""The address of the results database, and the errors of opening it."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from models.errors import FoodsortError

FILE = "foodsort.db"
LOG_SUFFIXES = ("-wal", "-shm")
"""What SQLite appends to the name of a database for the files of its log."""
BUSY_TIMEOUT_S = 5
"""How long SQLite itself waits for a lock (s). Then the daemon tries again; it can be stopped between the attempts."""
IN_MEMORY = sa.URL.create("sqlite", database=":memory:")
"""The database of a dry run where no database exists yet."""


class DatabaseError(FoodsortError):
    """Raised when the database is missing, cannot be opened, or was written by a newer foodsort."""


class AddressError(DatabaseError):
    """Raised when the setting `database.url` is not a database URL."""

    exit_code = 2


def database_url(root: Path, setting: str) -> sa.URL:
    """Returns the URL of the database.

    Args:
        root: The root, whose foodsort.db is used when the setting is empty.
        setting: The setting `database.url`.

    Raises:
        AddressError: The setting is not a database URL.
    """
    if not setting:
        return sa.URL.create("sqlite", database=str(root.absolute() / FILE))
    try:
        address = sa.make_url(setting)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is not a number
        raise AddressError(f"database.url is not an SQLAlchemy URL: {error}") from error
    # Without a named driver, use the one that foodsort[postgres] installs instead of SQLAlchemy's default.
    return address.set(drivername="postgresql+psycopg") if address.drivername == "postgresql" else address


def sqlite_file(address: sa.URL) -> Path | None:
    """Returns the file of an SQLite database, None for a database in memory or on a server."""
    has_file = address.get_backend_name() == "sqlite" and address.database not in {None, "", ":memory:"}
    return Path(str(address.database)) if has_file else None


def display(address: sa.URL) -> str:
    """Returns the database for people: the path of its file, which SQLAlchemy cannot print unless it is UTF-8, or its URL.

    The URL has no password.
    """
    return str(sqlite_file(address) or repr(address))


def newer_schema_error(address: sa.URL, revision: str) -> DatabaseError:
    """Makes the error for a database whose schema this version does not know."""
    return DatabaseError(
        f"the database {display(address)} was written by a newer foodsort (schema {revision}); install that version"
    )
