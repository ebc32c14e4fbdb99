"""On PostgreSQL an index finds names by their prefix, as on SQLite, for every locale of the database."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Recreates the index on names in the order of code points; it still serves searches for whole names."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_photos_name", "photos")
        op.create_index("ix_photos_name", "photos", ["name"], postgresql_ops={"name": "text_pattern_ops"})
