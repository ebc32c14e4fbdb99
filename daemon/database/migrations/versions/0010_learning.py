"""Learning from people: how a label was given, what models say of photos, and what a model had said before another."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


_OTHER_BYTES = "judgements_of_other_bytes"
"""A trigger: what a model said of the bytes that a photo had is not about the bytes that it has now."""
_ON = "AFTER UPDATE OF sha256 ON photos FOR EACH ROW WHEN (NEW.sha256 <> OLD.sha256)"
_DELETE = "DELETE FROM judgements WHERE photo_id = NEW.id"


def upgrade() -> None:
    """Adds the tables, the kind of a batch and the source of a label."""
    op.add_column("reviews", sa.Column("source", sa.String(8), nullable=False, server_default="person"))
    op.add_column("batches", sa.Column("kind", sa.String(16), nullable=False, server_default="sort"))
    op.create_table(
        "judgements",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False),
        sa.Column("model_id", sa.Integer, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("logit", sa.Float, nullable=False),
        sa.Column("look", sa.Integer),
        sa.Column("judged_at", sa.String(27), nullable=False),
        sa.UniqueConstraint("photo_id", "model_id"),
    )
    op.create_index("ix_judgements_model_id_id", "judgements", ["model_id", "id"])
    op.create_table(
        "reclassifications",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("batch_id", sa.Integer, sa.ForeignKey("batches.id"), nullable=False),
        sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False),
        sa.Column("previous_batch_id", sa.Integer, sa.ForeignKey("batches.id"), nullable=False),
        sa.Column("previous_model_id", sa.Integer, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("predicted_label", sa.String(8)),
        sa.Column("probability", sa.Float),
        sa.Column("logit", sa.Float),
        sa.Column("look", sa.Integer),
        sa.Column("classified_at", sa.String(27)),
        sa.UniqueConstraint("batch_id", "photo_id"),
    )
    op.create_index("ix_reclassifications_photo_id", "reclassifications", ["photo_id"])
    op.create_index("ix_reclassifications_previous_batch_id", "reclassifications", ["previous_batch_id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {_OTHER_BYTES} {_ON} BEGIN {_DELETE}; END")
    else:
        op.execute(
            f"CREATE FUNCTION {_OTHER_BYTES}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {_DELETE}; RETURN NULL; END'"
        )
        op.execute(f"CREATE TRIGGER {_OTHER_BYTES} {_ON} EXECUTE FUNCTION {_OTHER_BYTES}()")
