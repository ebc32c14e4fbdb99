"""The root that a database belongs to, so that a second root on the same database is refused."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates the table; the next start of the daemon writes its one row."""
    op.create_table(
        "roots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("root_id", sa.String(32), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("first_used_at", sa.String(27), nullable=False),
    )
