"""The look that decided: models may look at a photo at a small side first."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

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
  p.duplicate_of,
  p.taken_at, p.taken_offset, p.camera,
  0.5 + abs(p.probability - 0.5) AS certainty,
  p.logit,
  m.threshold, m.unsure_low, m.unsure_high,
  b.engine,
  p.modified_at, p.claimed_at,
  r.reviewed_at,
  p.look
FROM photos p
LEFT JOIN models m ON m.id = p.model_id
LEFT JOIN batches b ON b.id = p.batch_id
LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
"""


def upgrade() -> None:
    """Adds the column to the table and to the view."""
    op.execute("DROP VIEW results")
    op.add_column("photos", sa.Column("look", sa.Integer))
    op.execute(_VIEW)
