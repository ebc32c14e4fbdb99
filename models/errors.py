"""The hierarchy of foodsort's own errors.

Each message is for the person who has to act: it states the problem, the file and the fix.
"""

from enum import StrEnum


class FoodsortError(Exception):
    """Raised when something could not be done; the message says how to fix it."""

    exit_code = 1


class BundleError(FoodsortError):
    """Raised when a model bundle is missing, incomplete, of another format, or differs from its card."""


class EngineError(FoodsortError):
    """Raised when an engine cannot run a bundle on this machine."""


class WeightsError(FoodsortError):
    """Raised when the ImageNet weights can be neither found nor fetched, or have the wrong contents."""


class ImageErrorKind(StrEnum):
    """Why a file cannot be classified."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_TIMEOUT = "decoder_timeout"


class ImageError(FoodsortError):
    """Raised when the bytes of a file cannot be decoded to a complete picture.

    Permanent: the same bytes always raise it. The exceptions are the two kinds about the decoder's process.
    """

    def __init__(self, kind: ImageErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
