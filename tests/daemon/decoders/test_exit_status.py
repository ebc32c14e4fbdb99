import signal

import pytest

from daemon.decoders.exit_status import ExitReason, diagnose
from models.errors import ImageErrorKind

CRASHED, TIMEOUT = ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT


@pytest.mark.parametrize(
    ("death", "kind", "said", "by_others"),
    [
        (ExitReason(-signal.SIGSEGV), CRASHED, "SIGSEGV", False),
        (ExitReason(-signal.SIGABRT), CRASHED, "SIGABRT", False),
        (ExitReason(-40), CRASHED, "signal 40", False),
        (ExitReason(-signal.SIGKILL), CRASHED, "killed again and again", True),
        (ExitReason(-signal.SIGKILL, late=True), TIMEOUT, "too long", False),
        (ExitReason(-signal.SIGKILL, confused=True), CRASHED, "no sense", False),
        (ExitReason(-signal.SIGXCPU), TIMEOUT, "processor time", False),
        (ExitReason(1), CRASHED, "exit code 1", False),
        (ExitReason(0), CRASHED, "exit code 0", False),
    ],
)
def test_each_death_has_its_kind(death: ExitReason, kind: ImageErrorKind, said: str, by_others: bool) -> None:
    error = diagnose(death)
    assert (error.kind, death.by_others) == (kind, by_others)
    assert said in str(error)
