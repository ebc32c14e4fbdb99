"""What the end of a decoder says of the photo it had in hand. Pure."""

import signal
from typing import NamedTuple

from models.errors import ImageError, ImageErrorKind


class ExitReason(NamedTuple):
    """How a decoder's process ended. returncode: as subprocess gives it; late, confused: why the daemon ended it, if it did."""

    returncode: int
    late: bool = False
    confused: bool = False

    @property
    def by_others(self) -> bool:
        """Whether somebody else killed it: the kernel for want of memory, or a person."""
        return self.returncode == -signal.SIGKILL and not self.late and not self.confused


def diagnose(death: ExitReason) -> ImageError:
    """Why the photo was not decoded."""
    if death.late:
        return _timeout("it took too long to decode (images.timeout_s)")
    if death.confused:
        return _crash("its decoder gave an answer that makes no sense")
    if death.returncode == -signal.SIGXCPU:
        return _timeout("it took too much processor time to decode (images.timeout_s)")
    if death.by_others:
        return _crash("its decoder was killed again and again; where memory is short, the kernel does that")
    if death.returncode < 0:
        return _crash(f"its decoder crashed ({_name(-death.returncode)})")
    return _crash(f"its decoder ended with exit code {death.returncode}")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has none
        return f"signal {number}"


def _timeout(message: str) -> ImageError:
    return ImageError(ImageErrorKind.DECODER_TIMEOUT, message)


def _crash(message: str) -> ImageError:
    return ImageError(ImageErrorKind.DECODER_CRASHED, message)
