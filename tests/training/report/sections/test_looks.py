import numpy as np
import pytest

from models.cascade import Cascade
from models.decision import Thresholds
from tests.models.conftest import make_head
from training.fitting.fit import FittedModel, LabelledLogits
from training.report.sections import looks


def labelled(small: list[float]) -> LabelledLogits:
    """24 + 6 photos of two sources; the full look is right, except on the last photo."""
    labels = np.arange(30) % 2
    full = np.where(labels == 1, 4.0, -4.0)
    full[29] = -3.0
    logits = np.stack([full, np.where(labels == 1, 5.0, -5.0)], axis=1).astype(np.float32)
    logits[: len(small), 1] = small
    return LabelledLogits(logits, labels, ["kitchen"] * 24 + ["shop"] * 6)


@pytest.fixture
def fitted() -> FittedModel:
    return FittedModel(
        heads={224: make_head(1), 128: make_head(2)},
        cascade=Cascade(side=128, margin=2.0),
        thresholds=Thresholds(),
        validation=labelled([1.0, -1.0]),  # wrong, and looked at again
        left_out=labelled([3.0]),  # wrong, and not looked at again
        bank={},
    )


def test_left_out_sources_with_enough_photos_have_a_row(fitted: FittedModel) -> None:
    section = looks.left_out_section(fitted)
    (row,) = section.tables[0].rows
    assert row[:2] == ["kitchen", "24"]
    assert row[4] == "1"
    assert section.paragraphs[0].startswith("Each of the 30 training photos was judged by heads that had seen no photo")


def test_the_cascade_has_its_cost_and_its_mistakes(fitted: FittedModel) -> None:
    section = looks.cascade_section(fitted)
    assert section is not None
    validation, left_out = section.tables[0].rows
    # 0.327 for the small look, and two of thirty photos looked at again.
    assert validation[:7] == ["validation", "30", "6.7 %", "0.39", "0", "1", "−1"]
    assert left_out[:7] == ["left-out sources", "30", "0.0 %", "0.33", "1", "1", "+0"]
    assert "<svg" in section.figures[0].svg


def test_without_a_cascade_there_is_no_section(fitted: FittedModel) -> None:
    assert looks.cascade_section(fitted._replace(cascade=None)) is None
