import signal

import pytest

from daemon.decoders.exit_status import Death, blame
from models.errors import ImageErrorKind

CRASHED, TIMEOUT = ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT


@pytest.mark.parametrize(
    ("death", "kind", "said", "by_others"),
    [
        (Death(-signal.SIGSEGV), CRASHED, "SIGSEGV", False),
        (Death(-signal.SIGABRT), CRASHED, "SIGABRT", False),
        (Death(-40), CRASHED, "signal 40", False),
        (Death(-signal.SIGKILL), CRASHED, "killed again and again", True),
        (Death(-signal.SIGKILL, late=True), TIMEOUT, "too long", False),
        (Death(-signal.SIGKILL, confused=True), CRASHED, "no sense", False),
        (Death(-signal.SIGXCPU), TIMEOUT, "processor time", False),
        (Death(1), CRASHED, "exit code 1", False),
        (Death(0), CRASHED, "exit code 0", False),
    ],
)
def test_each_death_has_its_kind(death: Death, kind: ImageErrorKind, said: str, by_others: bool) -> None:
    error = blame(death)
    assert (error.kind, death.by_others) == (kind, by_others)
    assert said in str(error)
