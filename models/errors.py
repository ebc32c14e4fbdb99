"""The one hierarchy of errors that foodsort raises on purpose.

Every message is written for the person who has to act on it: what happened, to which file, how to mend it.
"""

from enum import StrEnum


class FoodsortError(Exception):
    """Raised when something could not be done and the message says how to mend it."""

    exit_code = 1


class BundleError(FoodsortError):
    """Raised when a model bundle is missing, incomplete, of another format or not what its card says it is."""


class EngineError(FoodsortError):
    """Raised when an engine cannot run a bundle on this machine."""


class WeightsError(FoodsortError):
    """Raised when the ImageNet weights can neither be found nor fetched, or are not what they should be."""


class ImageErrorKind(StrEnum):
    """Why a file is not a picture that can be classified."""

    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_TIMEOUT = "decoder_timeout"


class ImageError(FoodsortError):
    """Raised when the bytes of a file do not give a whole picture.

    Permanent, as the same bytes always raise it, but for the two kinds that tell of a decoder's process.
    """

    def __init__(self, kind: ImageErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
