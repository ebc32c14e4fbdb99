import pytest

from daemon.pipeline import attempts
from daemon.pipeline.attempts import PAUSES_S, Attempt, AttemptTracker
from models.errors import ImageErrorKind


@pytest.mark.parametrize("kind", [ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT])
def test_what_may_pass_is_tried_again_after_growing_pauses_then_stands(kind: ImageErrorKind) -> None:
    tries = AttemptTracker()
    judged = [tries.judge("1:2", kind) for _ in range(3)]
    assert judged == [Attempt(1, PAUSES_S[0]), Attempt(2, PAUSES_S[1]), Attempt(3, None)]
    assert PAUSES_S[0] < PAUSES_S[1]
    assert tries.judge("1:2", kind).number == 1  # the number of an inode comes again, with another photo


def test_what_stays_so_is_not_tried_again() -> None:
    transient = {ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT}
    for kind in (None, *set(ImageErrorKind) - transient):
        assert AttemptTracker().judge("1:2", kind) == Attempt(1, None)


def test_a_try_that_succeeds_is_counted_and_ends_the_count() -> None:
    tries = AttemptTracker()
    tries.judge("1:2", ImageErrorKind.DECODER_CRASHED)
    assert tries.judge("1:3", None) == Attempt(1, None)
    assert tries.judge("1:2", None) == Attempt(2, None)
    assert tries.judge("1:2", None) == Attempt(1, None)


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_MOST", 2)
    tries = AttemptTracker()
    for identity in ("1:1", "1:2", "1:3"):
        tries.judge(identity, ImageErrorKind.DECODER_CRASHED)
    assert [tries.judge(identity, None).number for identity in ("1:1", "1:2", "1:3")] == [1, 2, 2]
