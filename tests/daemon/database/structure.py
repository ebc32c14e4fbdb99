"""The structure of a database."""

from typing import Any

import sqlalchemy as sa


def described(engine: sa.Engine) -> list[Any]:
    """Everything that a database is made of, and its version."""
    with engine.connect() as connection:
        found = sa.inspect(connection)
        tables = sorted(found.get_table_names())
        parts = [(name, found.get_columns(name), found.get_indexes(name)) for name in tables]
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
        return [version, found.get_view_definition("results"), repr(parts)]
