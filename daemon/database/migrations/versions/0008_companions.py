"""Files that belong to a photo, such as Live Photo videos and sidecars; and files whose copies were sorted."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

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
  p.look,
  (SELECT COUNT(*) FROM companions c WHERE c.photo_id = p.id AND c.state NOT IN ('missing', 'deleted')) AS companions,
  (SELECT o.inbox_path FROM originals o WHERE o.photo_id = p.id ORDER BY o.id DESC LIMIT 1) AS original
FROM photos p
LEFT JOIN models m ON m.id = p.model_id
LEFT JOIN batches b ON b.id = p.batch_id
LEFT JOIN reviews r ON r.id = (SELECT MAX(id) FROM reviews WHERE photo_id = p.id)
"""


def upgrade() -> None:
    """Adds the tables, two columns of the view, and the index by which a late companion finds its photo."""
    op.create_table(
        "companions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("path_bytes", sa.LargeBinary, nullable=False),
        sa.Column("inbox_path", sa.Text, nullable=False),
        sa.Column("inbox_path_bytes", sa.LargeBinary, nullable=False),
        sa.Column("generation", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("modified_at", sa.String(27), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("claimed_at", sa.String(27), nullable=False),
        sa.Column("filed_at", sa.String(27)),
    )
    op.create_index("ix_companions_photo_id", "companions", ["photo_id"])
    op.create_index("ix_companions_sha256", "companions", ["sha256"])
    op.create_index("ix_companions_state", "companions", ["state"])
    op.create_index("ix_companions_name", "companions", ["name"], postgresql_ops={"name": "text_pattern_ops"})
    op.create_index("ix_photos_inbox_path_bytes", "photos", ["inbox_path_bytes"])
    op.create_table(
        "originals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id")),
        sa.Column("companion_id", sa.Integer, sa.ForeignKey("companions.id")),
        sa.Column("inbox_path", sa.Text, nullable=False),
        sa.Column("inbox_path_bytes", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("stamp", sa.Text, nullable=False),
        sa.UniqueConstraint("inbox_path_bytes", "sha256"),
    )
    op.create_index("ix_originals_photo_id", "originals", ["photo_id"])
    op.create_index("ix_originals_companion_id", "originals", ["companion_id"])
    op.create_index("ix_originals_sha256", "originals", ["sha256"])
    op.execute("DROP VIEW results")
    op.execute(_VIEW)
