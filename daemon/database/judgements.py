"""Writes what models say of photos that they did not sort."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from daemon.database.schema import judgements
from daemon.database.timestamps import format_time
from daemon.photo import Prediction
from models.decision import Thresholds

# A photo may have been merged into another row meanwhile, or have other bytes: then there is nothing to write.
_WRITE = sa.text(
    """
    INSERT INTO judgements (photo_id, model_id, label, probability, logit, look, judged_at)
    SELECT id, :model_id, :label, :probability, :logit, :look, :judged_at FROM photos
    WHERE id = :photo_id AND sha256 = :sha256
    ON CONFLICT (photo_id, model_id) DO UPDATE
    SET label = excluded.label, probability = excluded.probability, logit = excluded.logit, look = excluded.look,
      judged_at = excluded.judged_at
    """
).bindparams(
    # PostgreSQL cannot tell the types of parameters in a SELECT.
    *(
        sa.bindparam(name, type_=judgements.c[name].type)
        for name in ("model_id", "label", "probability", "logit", "look", "judged_at")
    )
)


class Judgement(NamedTuple):
    """What a model says of a photo. sha256: of the bytes that it was shown."""

    photo_id: int
    sha256: str
    prediction: Prediction


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


def write_checked(engine: sa.Engine, model_id: int, rows: Iterable[Judgement]) -> None:
    """Records judgements of one model in one transaction, except those of photos that have other bytes now."""
    now = format_time(datetime.now(UTC))
    parameters = [
        {
            "photo_id": row.photo_id,
            "sha256": row.sha256,
            "model_id": model_id,
            "label": row.prediction.label,
            "probability": row.prediction.probability,
            "logit": row.prediction.logit,
            "look": row.prediction.look,
            "judged_at": now,
        }
        for row in rows
    ]
    if parameters:
        with engine.begin() as connection:
            connection.execute(_WRITE, parameters)


def relabel(engine: sa.Engine, model_id: int, thresholds: Thresholds, *, unsure: bool) -> None:
    """Gives the judgements of a model the labels that follow from their probabilities under the settings of today.

    Args:
        engine: The database.
        model_id: The row of the model.
        thresholds: Its thresholds.
        unsure: Whether photos between the thresholds get the label `unsure`.
    """
    j = judgements.c
    label = sa.case((j.probability >= thresholds.food, "food"), else_="non_food")
    if unsure:
        between = sa.and_(j.probability > thresholds.unsure_low, j.probability < thresholds.unsure_high)
        label = sa.case((between, "unsure"), (j.probability >= thresholds.food, "food"), else_="non_food")
    update = judgements.update().where(j.model_id == model_id, j.label != label).values(label=label)
    with engine.begin() as connection:
        connection.execute(update)
