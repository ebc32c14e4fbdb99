from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.web.model_state import Models
from daemon.web.photo_features import PhotoFeatures
from daemon.web.question_set import SIZE
from daemon.web.teacher import Teacher
from tests.daemon.sample_database import DAY, add, make_database

ALIKE = 40
DISTINCT = 5


class Features:
    """Features that were computed before: those of photos whose digest begins with 4 are alike, the others distinct."""

    def __init__(self, *, known: bool) -> None:
        self.known = known
        self.asked: list[str] = []

    def prepare(self, photos: Sequence[tuple[int, str]]) -> None:
        self.asked = [sha256 for _, sha256 in photos]

    def wait(self, timeout_s: float) -> None:
        pass

    def read(self, sha256s: Sequence[str]) -> dict[str, npt.NDArray[np.float16]]:
        rows = np.eye(DISTINCT + 1, dtype=np.float16)
        return {sha256: rows[0 if sha256[0] == "4" else 1 + int(sha256[1:])] for sha256 in sha256s if self.known}


@pytest.fixture
def engine(address: sa.URL) -> Iterator[sa.Engine]:
    """A database with photos that look alike, and less uncertain ones that do not."""
    engine = make_database(address)
    for number in range(ALIKE):
        add(engine, f"4{number:02}", probability=0.5 + number / 1000, taken_at=f"2026-11-24T18:{number:02}:00")
    for number in range(DISTINCT):
        add(engine, f"5{number}", probability=0.6, taken_at=f"2026-11-24T19:{number:02}:00")
    yield engine
    engine.dispose()


def teacher(engine: sa.Engine, features: Features, models: Models = Models("s")) -> Teacher:  # noqa: B008
    return Teacher(engine, cast(PhotoFeatures, features), lambda: models)


def digests(teacher: Teacher, *skipped: int) -> set[str]:
    return {question.sha256 for question in teacher.questions(skipped)}


def test_with_features_a_set_is_diverse(engine: sa.Engine) -> None:
    features = Features(known=True)
    asked = digests(teacher(engine, features))
    assert len(asked) == SIZE
    assert {f"5{number}" for number in range(DISTINCT)} <= asked
    assert len(features.asked) == ALIKE + DISTINCT


def test_without_features_the_most_uncertain_photos_are_asked(engine: sa.Engine) -> None:
    assert digests(teacher(engine, Features(known=False))) == {f"4{number:02}" for number in range(SIZE)}


def test_labels_in_doubt_and_disagreements_come_with_the_candidate(engine: sa.Engine) -> None:
    doubtful, disputed = add(engine, "6a", corrected=("food",)), add(engine, "7a", probability=0.99)
    with engine.begin() as connection:
        model = {"id": 2, "sha256": "c", "name": "c", "card": "{}", "first_used_at": DAY % 1}
        connection.execute(schema.models.insert().values(model))
        judgement = {"photo_id": disputed, "model_id": 2, "label": "non_food", "probability": 0.1, "logit": -2.0}
        connection.execute(schema.judgements.insert().values(judgement | {"judged_at": DAY % 2}))
    choice = teacher(engine, Features(known=False), Models("s", "c", ("6a",)))
    first = choice.questions()[0]
    assert (first.id, first.earlier) == (doubtful, "food")
    assert "7a" in digests(choice)
    assert not {"6a", "7a"} & digests(choice, doubtful, disputed)
    assert not {"6a", "7a"} & digests(teacher(engine, Features(known=False)))
