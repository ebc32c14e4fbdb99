"""On PostgreSQL an index finds names that begin alike, as it does on SQLite, whatever locale the database sorts by."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the index on names anew, by code points; it serves whole names just as well."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_photos_name", "photos")
        op.create_index("ix_photos_name", "photos", ["name"], postgresql_ops={"name": "text_pattern_ops"})
