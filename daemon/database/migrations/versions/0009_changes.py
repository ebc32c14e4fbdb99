"""The order in which photos came to rest or got labels, for programs that go on where they stopped.

Triggers write the table, so no writer can forget it. A photo on its way is left out: it changes again when it arrives.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_MOVING = "('filing', 'correcting', 'deleting', 'undoing', 'retrying')"
_AT_REST = f"NEW.state NOT IN {_MOVING}"
_TRIGGERS = {
    "changes_photo_added": ("INSERT ON photos", _AT_REST, "NEW.id"),
    "changes_photo_moved": (
        "UPDATE OF state, path ON photos",
        f"{_AT_REST} AND (NEW.state <> OLD.state OR NEW.path <> OLD.path)",
        "NEW.id",
    ),
    "changes_review_added": ("INSERT ON reviews", None, "NEW.photo_id"),
    "changes_review_moved": ("UPDATE OF photo_id ON reviews", None, "NEW.photo_id"),
    "changes_review_removed": ("DELETE ON reviews", None, "OLD.photo_id"),
}
"""The event, the condition and the photo of each trigger, by its name."""


def upgrade() -> None:
    """Creates the table, with the photos at rest in the order in which they were filed, and its triggers."""
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("photo_id", sa.Integer, nullable=False),
    )
    op.execute(
        f"INSERT INTO changes (photo_id) SELECT id FROM photos WHERE state NOT IN {_MOVING}"
        " ORDER BY COALESCE(filed_at, claimed_at), id"
    )
    create = _create_on_sqlite if op.get_bind().dialect.name == "sqlite" else _create_on_postgresql
    for name, (event, condition, photo_id) in _TRIGGERS.items():
        create(name, event, f"WHEN ({condition})" if condition else "", photo_id)


def _create_on_sqlite(name: str, event: str, condition: str, photo_id: str) -> None:
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} FOR EACH ROW {condition}"
        f" BEGIN INSERT INTO changes (photo_id) VALUES ({photo_id}); END"
    )


def _create_on_postgresql(name: str, event: str, condition: str, photo_id: str) -> None:
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN INSERT INTO changes (photo_id) VALUES ({photo_id}); RETURN NULL; END'"
    )
    op.execute(f"CREATE TRIGGER {name} AFTER {event} FOR EACH ROW {condition} EXECUTE FUNCTION {name}()")
