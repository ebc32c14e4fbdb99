import pytest

from daemon.pipeline import attempts
from daemon.pipeline.attempts import PAUSES_S, Attempt, AttemptTracker
from models.errors import ImageErrorKind


@pytest.mark.parametrize("kind", [ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT])
def test_transient_failures_are_tried_again_after_growing_pauses(kind: ImageErrorKind) -> None:
    tracker = AttemptTracker()
    recorded = [tracker.record("1:2", kind) for _ in range(3)]
    assert recorded == [Attempt(1, PAUSES_S[0]), Attempt(2, PAUSES_S[1]), Attempt(3, None)]
    assert PAUSES_S[0] < PAUSES_S[1]
    assert tracker.record("1:2", kind).number == 1  # an inode number is used again, by another photo


def test_permanent_failures_are_not_tried_again() -> None:
    transient = {ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT}
    for kind in (None, *set(ImageErrorKind) - transient):
        assert AttemptTracker().record("1:2", kind) == Attempt(1, None)


def test_a_success_is_counted_and_ends_the_count() -> None:
    tracker = AttemptTracker()
    tracker.record("1:2", ImageErrorKind.DECODER_CRASHED)
    assert tracker.record("1:3", None) == Attempt(1, None)
    assert tracker.record("1:2", None) == Attempt(2, None)
    assert tracker.record("1:2", None) == Attempt(1, None)


def test_the_oldest_photos_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_MAX_PHOTOS", 2)
    tracker = AttemptTracker()
    for identity in ("1:1", "1:2", "1:3"):
        tracker.record(identity, ImageErrorKind.DECODER_CRASHED)
    assert [tracker.record(identity, None).number for identity in ("1:1", "1:2", "1:3")] == [1, 2, 2]
