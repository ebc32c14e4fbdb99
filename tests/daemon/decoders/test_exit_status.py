import signal

import pytest

from daemon.decoders.exit_status import ExitReason, diagnose
from models.errors import ImageErrorKind

CRASHED, TIMEOUT = ImageErrorKind.DECODER_CRASHED, ImageErrorKind.DECODER_TIMEOUT


@pytest.mark.parametrize(
    ("reason", "kind", "message", "killed_from_outside"),
    [
        (ExitReason(-signal.SIGSEGV), CRASHED, "SIGSEGV", False),
        (ExitReason(-signal.SIGABRT), CRASHED, "SIGABRT", False),
        (ExitReason(-40), CRASHED, "signal 40", False),
        (ExitReason(-signal.SIGKILL), CRASHED, "killed repeatedly", True),
        (ExitReason(-signal.SIGKILL, timed_out=True), TIMEOUT, "too long", False),
        (ExitReason(-signal.SIGKILL, invalid_reply=True), CRASHED, "invalid reply", False),
        (ExitReason(-signal.SIGXCPU), TIMEOUT, "processor time", False),
        (ExitReason(1), CRASHED, "exit code 1", False),
        (ExitReason(0), CRASHED, "exit code 0", False),
    ],
)
def test_each_exit_reason_has_its_error(
    reason: ExitReason, kind: ImageErrorKind, message: str, *, killed_from_outside: bool
) -> None:
    error = diagnose(reason)
    assert (error.kind, reason.killed_from_outside) == (kind, killed_from_outside)
    assert message in str(error)
