"""Pictures for the review page."""

import io

from PIL import Image


def picture(label: str = "food", shade: int = 0) -> bytes:
    """A JPEG that the scripted engine is sure of, but for `unsure`, which is grey; `shade` makes each one its own."""
    red, blue = {"food": (200, 40), "non_food": (40, 200), "unsure": (shade, shade)}[label]
    file = io.BytesIO()
    Image.new("RGB", (96, 64), (red, shade, blue)).save(file, "JPEG", quality=95)
    return file.getvalue()
