"""Pictures for the review page."""

import io

from PIL import Image


def picture(label: str = "food", shade: int = 0) -> bytes:
    """A JPEG for which the scripted engine predicts this label; `shade` makes each one distinct."""
    red, blue = {"food": (200, 40), "non_food": (40, 200), "unsure": (shade, shade)}[label]
    file = io.BytesIO()
    Image.new("RGB", (96, 64), (red, shade, blue)).save(file, "JPEG", quality=95)
    return file.getvalue()
