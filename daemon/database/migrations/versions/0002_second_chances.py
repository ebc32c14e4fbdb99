"""Attempts and duplicates of a photo, and an index for photos in the inbox that have a row."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

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
  p.batch_id,
  p.attempts, p.first_failed_at,
  p.duplicate_of
FROM photos p
JOIN models m ON m.id = p.model_id
LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
"""


def upgrade() -> None:
    """Adds columns; neither SQLite nor PostgreSQL rewrites the table for that."""
    op.execute("DROP VIEW results")
    op.add_column("photos", sa.Column("attempts", sa.Integer, nullable=False, server_default="1"))
    op.add_column("photos", sa.Column("first_failed_at", sa.String(27)))
    op.add_column("photos", sa.Column("duplicate_of", sa.Integer))
    op.execute("UPDATE photos SET first_failed_at = filed_at WHERE error_kind IS NOT NULL")
    op.create_index("ix_photos_identity", "photos", ["identity"])
    op.execute(_VIEW)
