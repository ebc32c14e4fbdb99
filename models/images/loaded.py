"""What every reader of a format returns."""

from typing import NamedTuple

from PIL import Image

from models.images.exif import Exif


class Loaded(NamedTuple):
    """A decoded image before it is scaled, turned and converted to sRGB.

    Attributes:
        image: The pixels, at the size of the file or reduced; its `info` has the colour profile.
        format: Name of the file format.
        width: Width in the file (pixels).
        height: Height in the file (pixels).
        exif: The EXIF data; its orientation is the one that is still to be applied.
    """

    image: Image.Image
    format: str
    width: int
    height: int
    exif: Exif
