"""Why a worker process ended while it decoded a photo, as an error for that photo. Pure."""

import signal
from typing import NamedTuple

from models.errors import ImageError, ImageErrorKind


class ExitReason(NamedTuple):
    """How a worker process ended.

    Attributes:
        returncode: Exit code, or the negative number of a signal, as `subprocess` reports it.
        timed_out: Whether the daemon killed it because it took too long.
        invalid_reply: Whether the daemon killed it because its reply was invalid.
    """

    returncode: int
    timed_out: bool = False
    invalid_reply: bool = False

    @property
    def killed_from_outside(self) -> bool:
        """Whether the kernel (for lack of memory) or a person ended it, and neither the photo nor the daemon."""
        return self.returncode == -signal.SIGKILL and not self.timed_out and not self.invalid_reply


def diagnose(exit_reason: ExitReason) -> ImageError:
    """Returns the error of the photo that the worker was decoding."""
    if exit_reason.timed_out:
        return _timeout("it took too long to decode (images.timeout_s)")
    if exit_reason.invalid_reply:
        return _crash("its decoder sent an invalid reply")
    if exit_reason.returncode == -signal.SIGXCPU:
        return _timeout("it took too much processor time to decode (images.timeout_s)")
    if exit_reason.killed_from_outside:
        return _crash("its decoder was killed repeatedly; the kernel does that when memory is short")
    if exit_reason.returncode < 0:
        return _crash(f"its decoder crashed ({_signal_name(-exit_reason.returncode)})")
    return _crash(f"its decoder ended with exit code {exit_reason.returncode}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"


def _timeout(message: str) -> ImageError:
    return ImageError(ImageErrorKind.DECODER_TIMEOUT, message)


def _crash(message: str) -> ImageError:
    return ImageError(ImageErrorKind.DECODER_CRASHED, message)
