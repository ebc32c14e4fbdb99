"""The tables of the results database and the view `results`; the migrations create them."""

from typing import Final

import sqlalchemy as sa

REVISION = "0010"
"""The schema that this version of foodsort reads and writes; see migrations/versions/."""

metadata = sa.MetaData()

Time = sa.String(27)
"""Time as text, see timestamps.py: the same in every database, and in order of time when sorted."""

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("card", sa.Text, nullable=False),
    sa.Column("first_used_at", Time, nullable=False),
    # Copied from the card so that queries can use them.
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
    sa.Column("kind", sa.String(16), nullable=False, server_default="sort"),
)
"""`kind` is SORT, or RECLASSIFY for photos that were judged again. The latter has 0 as `photos` until it is complete."""

SORT: Final = "sort"
RECLASSIFY: Final = "reclassify"

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
    sa.Column("look", sa.Integer),
    # By code points, as in SQLite: an index in a locale's order does not serve searches for the start of a name.
    sa.Index("ix_photos_name", "name", postgresql_ops={"name": "text_pattern_ops"}),
    sa.Index("ix_photos_identity_state", "identity", "state"),
    sa.Index("ix_photos_inbox_path_bytes", "inbox_path_bytes"),
    sa.Index("ix_photos_predicted_label_classified_at", "predicted_label", "classified_at"),
    sa.Index("ix_photos_state_filed_at", "state", "filed_at"),
    # Exactly the expression of the view's `certainty`; the planner does not use the index for any other.
    sa.Index("ix_photos_certainty", sa.text("(0.5 + abs(probability - 0.5))"), "id"),
)

companions = sa.Table(
    "companions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False, index=True),
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
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("claimed_at", Time, nullable=False),
    sa.Column("filed_at", Time),
    sa.Index("ix_companions_state", "state"),
    sa.Index("ix_companions_name", "name", postgresql_ops={"name": "text_pattern_ops"}),
)
"""Files that belong to a photo and move with it."""

originals = sa.Table(
    "originals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), index=True),
    sa.Column("companion_id", sa.Integer, sa.ForeignKey("companions.id"), index=True),
    sa.Column("inbox_path", sa.Text, nullable=False),
    sa.Column("inbox_path_bytes", sa.LargeBinary, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    sa.Column("stamp", sa.Text, nullable=False),
    sa.UniqueConstraint("inbox_path_bytes", "sha256"),
)
"""Files in the inbox whose copies were sorted, with the photo or companion that each copy became."""

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False, index=True),
    sa.Column("label", sa.String(8), nullable=False),
    sa.Column("reviewed_at", Time, nullable=False),
    sa.Column("source", sa.String(8), nullable=False, server_default="person"),
    sa.Index("ix_reviews_label_photo_id", "label", "photo_id"),
)
"""`source` is `person`; `audit` if the person did not see the model's label; or `move` if they moved the file by hand."""

judgements = sa.Table(
    "judgements",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False),
    sa.Column("model_id", sa.Integer, sa.ForeignKey("models.id"), nullable=False),
    sa.Column("label", sa.String(8), nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("logit", sa.Float, nullable=False),
    sa.Column("look", sa.Integer),
    sa.Column("judged_at", Time, nullable=False),
    sa.UniqueConstraint("photo_id", "model_id"),
    sa.Index("ix_judgements_model_id_id", "model_id", "id"),
)
"""Predictions that did not sort a photo: by a candidate, and by a model that judges sorted photos again.

The database itself deletes those of a photo whose `sha256` changes, see migrations/versions/0010_learning.py.
"""

reclassifications = sa.Table(
    "reclassifications",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("batch_id", sa.Integer, sa.ForeignKey("batches.id"), nullable=False),
    sa.Column("photo_id", sa.Integer, sa.ForeignKey("photos.id"), nullable=False, index=True),
    sa.Column("previous_batch_id", sa.Integer, sa.ForeignKey("batches.id"), nullable=False, index=True),
    sa.Column("previous_model_id", sa.Integer, sa.ForeignKey("models.id"), nullable=False),
    sa.Column("predicted_label", sa.String(8)),
    sa.Column("probability", sa.Float),
    sa.Column("logit", sa.Float),
    sa.Column("look", sa.Integer),
    sa.Column("classified_at", Time),
    sa.UniqueConstraint("batch_id", "photo_id"),
)
"""The prediction that a photo had before a batch of the kind `reclassify`, by which the batch is taken back."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Time, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("path", sa.Text),
    sa.Column("message", sa.Text, nullable=False),
)

roots = sa.Table(
    "roots",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),  # always 1, so that two roots cannot both write theirs
    sa.Column("root_id", sa.String(32), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("first_used_at", Time, nullable=False),
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("photo_id", sa.Integer, nullable=False),
)
"""Written by the database itself, see migrations/versions/0008_changes.py. No foreign key: `repair` may delete a photo."""

results = sa.table(
    "results",
    sa.column("id"),
    sa.column("name"),
    sa.column("path"),
    sa.column("sha256"),
    sa.column("label"),
    sa.column("predicted_label"),
    sa.column("corrected_label"),
    sa.column("probability"),
    sa.column("state"),
    sa.column("model"),
    sa.column("classified_at"),
    sa.column("filed_at"),
    sa.column("inbox_path"),
    sa.column("size_bytes"),
    sa.column("format"),
    sa.column("width"),
    sa.column("height"),
    sa.column("error_kind"),
    sa.column("error_message"),
    sa.column("batch_id"),
    sa.column("attempts"),
    sa.column("first_failed_at"),
    sa.column("duplicate_of"),
    sa.column("taken_at"),
    sa.column("taken_offset"),
    sa.column("camera"),
    sa.column("certainty"),
    sa.column("logit"),
    sa.column("threshold"),
    sa.column("unsure_low"),
    sa.column("unsure_high"),
    sa.column("engine"),
    sa.column("modified_at"),
    sa.column("claimed_at"),
    sa.column("reviewed_at"),
    sa.column("look"),
    sa.column("companions"),
    sa.column("original"),
)
"""The documented view, one row per photo, for queries."""
