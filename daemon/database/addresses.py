"""The address of the results database, and the errors of opening it."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from models.errors import FoodsortError

FILE = "foodsort.db"
BUSY_S = 5
"""How long SQLite itself waits for a lock; the daemon tries again after that, and meanwhile can be told to stop."""
IN_MEMORY = sa.URL.create("sqlite", database=":memory:")
"""A database for a dry run, gone when it ends."""


class DatabaseError(FoodsortError):
    """Raised when the database is missing, cannot be opened, or was written by a newer foodsort."""


class AddressError(DatabaseError):
    """Raised when the setting `database.url` is no address of a database."""

    exit_code = 2


def url(root: Path, setting: str) -> sa.URL:
    """The database's URL by the setting `database.url`. Raises AddressError when it is none."""
    if not setting:
        return sa.URL.create("sqlite", database=str(root.absolute() / FILE))
    try:
        address = sa.make_url(setting)
    except (ArgumentError, ValueError) as error:  # the latter: of a port
        raise AddressError(f"database.url is no SQLAlchemy URL: {error}") from error
    # Where no driver is named, it is the one that foodsort[postgres] brings, not SQLAlchemy's own choice.
    return address.set(drivername="postgresql+psycopg") if address.drivername == "postgresql" else address


def file_of(address: sa.URL) -> Path | None:
    """The file of a SQLite database, None for one in memory or on a server."""
    named = address.get_backend_name() == "sqlite" and address.database not in {None, "", ":memory:"}
    return Path(str(address.database)) if named else None


def newer(address: sa.URL, revision: str) -> DatabaseError:
    """What is raised for a database of a schema that this version does not know."""
    return DatabaseError(f"the database {address!r} was written by a newer foodsort (schema {revision}); install that")
