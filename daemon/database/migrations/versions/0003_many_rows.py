"""Indexes that keep queries fast with millions of rows."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the indexes that `undo` and `results --label` use, and drops unused ones.

    The index on the identity includes the state, since all hard links of a file share one identity.
    """
    op.drop_index("ix_photos_identity", "photos")
    op.create_index("ix_photos_identity_state", "photos", ["identity", "state"])
    op.create_index("ix_photos_batch_id", "photos", ["batch_id"])
    op.create_index("ix_photos_predicted_label_classified_at", "photos", ["predicted_label", "classified_at"])
    op.create_index("ix_photos_state_filed_at", "photos", ["state", "filed_at"])
    op.create_index("ix_reviews_label_photo_id", "reviews", ["label", "photo_id"])
    op.drop_index("ix_events_at", "events")
