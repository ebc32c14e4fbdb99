"""The tables of the results database and the view `results`; migrations/ makes them."""

import sqlalchemy as sa

REVISION = "0005"
"""The schema that this version of foodsort reads and writes; see migrations/versions/."""

metadata = sa.MetaData()

Time = sa.String(27)
"""UTC, ISO 8601 with microseconds, such as 2026-11-24T12:00:00.000000Z: the same text in every database, and it sorts."""

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("card", sa.Text, nullable=False),
    sa.Column("first_used_at", Time, nullable=False),
    # Of the card, so that questions can be asked of them.
    sa.Column("temperature", sa.Float),
    sa.Column("threshold", sa.Float),
    sa.Column("unsure_low", sa.Float),
    sa.Column("unsure_high", sa.Float),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("started_at", Time, nullable=False),
    sa.Column("photos", sa.Integer, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("inference_ms", sa.Float, nullable=False),
)

photos = sa.Table(
    "photos",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("path_bytes", sa.LargeBinary, nullable=False),
    sa.Column("inbox_path", sa.Text, nullable=False),
    sa.Column("inbox_path_bytes", sa.LargeBinary, nullable=False),
    sa.Column("generation", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_at", Time, nullable=False),
    sa.Column("format", sa.Text),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("logit", sa.Float),
    sa.Column("probability", sa.Float),
    sa.Column("predicted_label", sa.String(8), index=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("error_kind", sa.String(32)),
    sa.Column("error_message", sa.Text),
    sa.Column("batch_id", sa.Integer, sa.ForeignKey("batches.id"), nullable=False, index=True),
    sa.Column("model_id", sa.Integer, sa.ForeignKey("models.id"), nullable=False),
    sa.Column("claimed_at", Time, nullable=False),
    sa.Column("classified_at", Time, index=True),
    sa.Column("filed_at", Time),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
    sa.Column("first_failed_at", Time),
    sa.Column("duplicate_of", sa.Integer),
    sa.Column("taken_at", sa.String(19)),
    sa.Column("taken_offset", sa.String(6)),
    sa.Column("camera", sa.Text),
    # By code points, as SQLite sorts: a locale's order does not find names by their beginning.
    sa.Index("ix_photos_name", "name", postgresql_ops={"name": "text_pattern_ops"}),
    sa.Index("ix_photos_identity_state", "identity", "state"),
    sa.Index("ix_photos_predicted_label_classified_at", "predicted_label", "classified_at"),
    sa.Index("ix_photos_state_filed_at", "state", "filed_at"),
    # The view's `certainty`, letter by letter: else it is not found.
    sa.Index("ix_photos_certainty", sa.text("(0.5 + abs(probability - 0.5))"), "id"),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False, index=True),
    sa.Column("label", sa.String(8), nullable=False),
    sa.Column("reviewed_at", Time, nullable=False),
    sa.Index("ix_reviews_label_photo_id", "label", "photo_id"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Time, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("path", sa.Text),
    sa.Column("message", sa.Text, nullable=False),
)

results = sa.table(
    "results",
    *(
        sa.column(name)
        for name in (
            *("id", "name", "path", "sha256", "label", "predicted_label", "corrected_label", "probability", "state"),
            *("model", "classified_at", "filed_at", "inbox_path", "size_bytes", "format", "width", "height"),
            *("error_kind", "error_message", "batch_id", "attempts", "first_failed_at", "duplicate_of"),
            *("taken_at", "taken_offset", "camera", "certainty", "logit", "threshold", "unsure_low", "unsure_high"),
            *("engine", "modified_at", "claimed_at", "reviewed_at"),
        )
    ),
)
"""The documented view, one row a photo, for queries."""
