"""The structure of a database."""

from typing import Any

import sqlalchemy as sa


def describe(engine: sa.Engine) -> list[Any]:
    """Version, tables, indexes and view of a database."""
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        tables = sorted(inspector.get_table_names())
        parts = [(name, inspector.get_columns(name), inspector.get_indexes(name)) for name in tables]
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
        return [version, inspector.get_view_definition("results"), repr(parts)]
