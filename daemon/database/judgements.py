"""Writes what models say of photos that they did not sort."""

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from daemon.database.schema import judgements
from daemon.database.timestamps import format_time
from daemon.photo import Prediction


def write(connection: sa.Connection, model_id: int, predictions: Mapping[int, Prediction]) -> None:
    """Records the predictions of a model, which replace its earlier ones.

    Args:
        connection: The database.
        model_id: Id of the model.
        predictions: By the ids of the photos.
    """
    if not predictions:
        return
    now = format_time(datetime.now(UTC))
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    insert = build(judgements)
    new = {name: insert.excluded[name] for name in ("label", "probability", "logit", "look", "judged_at")}
    statement = insert.on_conflict_do_update(index_elements=["photo_id", "model_id"], set_=new)
    rows = [
        {
            "photo_id": photo_id,
            "model_id": model_id,
            "label": prediction.label,
            "probability": prediction.probability,
            "logit": prediction.logit,
            "look": prediction.look,
            "judged_at": now,
        }
        for photo_id, prediction in predictions.items()
    ]
    connection.execute(statement, rows)
