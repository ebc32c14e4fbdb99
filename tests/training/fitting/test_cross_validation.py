import numpy as np
import numpy.typing as npt
import pytest

from training.fitting.cross_validation import folds, predict_left_out

Rows = npt.NDArray[np.int64]

LABELS = np.arange(60) % 2
SOURCES = [f"source {row % 12}" for row in range(60)]


def test_a_source_is_never_on_both_sides() -> None:
    split = folds(LABELS, SOURCES, 1)
    assert len(split) == 5
    for rows, left_out in split:
        assert not {SOURCES[row] for row in rows} & {SOURCES[row] for row in left_out}
        assert sorted([*rows, *left_out]) == list(range(60))
    assert sorted(np.concatenate([left_out for _, left_out in split])) == list(range(60))


@pytest.mark.parametrize(
    "sources",
    [[""] * 60, ["one"] * 60, ["food" if label else "other" for label in LABELS]],
    ids=["unknown", "one", "one for each label"],
)
def test_without_enough_sources_single_photos_are_left_out(sources: list[str]) -> None:
    split = folds(LABELS, sources, 1)
    assert len(split) == 5
    assert all(set(LABELS[rows]) == {0, 1} for rows, _ in split)


def test_two_photos_are_too_few_to_leave_one_out() -> None:
    ((rows, left_out),) = folds(np.array([0, 1]), ["", ""], 1)
    assert rows.tolist() == left_out.tolist() == [0, 1]


def test_each_photo_is_predicted_without_its_source() -> None:
    def known_sources(rows: Rows, left_out: Rows) -> npt.NDArray[np.float32]:
        known = {SOURCES[row] for row in rows}
        return np.array([SOURCES[row] in known for row in left_out], np.float32)

    assert predict_left_out(known_sources, LABELS, SOURCES, 1).tolist() == [0.0] * 60
