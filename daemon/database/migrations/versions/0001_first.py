"""The first schema: photos, batches, models, reviews, events and the view `results`."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.String(27)
_VIEW = """
CREATE VIEW results AS
SELECT
  p.id, p.name, p.path, p.sha256,
  COALESCE(r.label, p.predicted_label) AS label,
  p.predicted_label,
  r.label AS corrected_label,
  p.probability,
  p.state,
  m.name AS model,
  p.classified_at,
  p.filed_at,
  p.inbox_path,
  p.size_bytes, p.format, p.width, p.height,
  p.error_kind, p.error_message,
  p.batch_id
FROM photos p
JOIN models m ON m.id = p.model_id
LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
"""


def upgrade() -> None:
    """Creates the tables and the view. Does not import `daemon.database.schema`, which changes with later versions."""
    op.create_table(
        "models",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("card", sa.Text, nullable=False),
        sa.Column("first_used_at", _TIME, nullable=False),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("photos", sa.Integer, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("inference_ms", sa.Float, nullable=False),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, index=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("path_bytes", sa.LargeBinary, nullable=False),
        sa.Column("inbox_path", sa.Text, nullable=False),
        sa.Column("inbox_path_bytes", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("modified_at", _TIME, nullable=False),
        sa.Column("format", sa.Text),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("logit", sa.Float),
        sa.Column("probability", sa.Float),
        sa.Column("predicted_label", sa.String(8), index=True),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("error_kind", sa.String(32)),
        sa.Column("error_message", sa.Text),
        sa.Column("batch_id", sa.Integer, sa.ForeignKey("batches.id"), nullable=False),
        sa.Column("model_id", sa.Integer, sa.ForeignKey("models.id"), nullable=False),
        sa.Column("claimed_at", _TIME, nullable=False),
        sa.Column("classified_at", _TIME, index=True),
        sa.Column("filed_at", _TIME),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False, index=True),
        sa.Column("label", sa.String(8), nullable=False),
        sa.Column("reviewed_at", _TIME, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _TIME, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("path", sa.Text),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.execute(_VIEW)
