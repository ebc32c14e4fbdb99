"""Columns from EXIF, the models' thresholds, and a view with all facts about a photo."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Left joins: every photo has a row, and the planner skips the tables whose columns a query does not use.
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
  r.reviewed_at
FROM photos p
LEFT JOIN models m ON m.id = p.model_id
LEFT JOIN batches b ON b.id = p.batch_id
LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
"""


def upgrade() -> None:
    """Adds columns, and an index for the photos with the lowest certainty."""
    op.execute("DROP VIEW results")
    op.add_column("photos", sa.Column("taken_at", sa.String(19)))
    op.add_column("photos", sa.Column("taken_offset", sa.String(6)))
    op.add_column("photos", sa.Column("camera", sa.Text))
    op.execute("CREATE INDEX ix_photos_certainty ON photos ((0.5 + abs(probability - 0.5)), id)")
    for name in ("temperature", "threshold", "unsure_low", "unsure_high"):
        op.add_column("models", sa.Column(name, sa.Float))
    _fill(op.get_bind())
    op.execute(_VIEW)


def _fill(connection: sa.Connection) -> None:
    """Copies the thresholds from the models' cards; an unreadable card is skipped."""
    update = sa.text(
        "UPDATE models SET temperature = :temperature, threshold = :food, unsure_low = :unsure_low,"
        " unsure_high = :unsure_high WHERE id = :id"
    )
    for model_id, card in connection.execute(sa.text("SELECT id, card FROM models")).all():
        try:
            document = json.loads(card)
            thresholds = {name: float(document["thresholds"][name]) for name in ("food", "unsure_low", "unsure_high")}
            values = thresholds | {"temperature": float(document["temperature"])}
        except (ValueError, KeyError, TypeError):
            continue
        connection.execute(update, values | {"id": model_id})
