"""A second model: the shipped one under another name, with other thresholds."""

import io
from pathlib import Path

from PIL import Image

from models.bundle import Bundle
from models.decision import Thresholds

STRICT = Thresholds(food=0.9, unsure_low=0.9, unsure_high=0.9)
"""Photos of doubtful food are no food."""
AT_A_LOSS = Thresholds(food=0.5, unsure_low=0.1, unsure_high=0.95)
"""The model is not sure of them."""


def write_model(folder: Path, name: str = "strict", thresholds: Thresholds = STRICT) -> Bundle:
    """Writes a bundle of the shipped network that calls photos food by other thresholds."""
    shipped = Bundle.load()
    folder.mkdir()
    for file in shipped.card.files:
        (folder / file).symlink_to(Path(shipped.folder / file).resolve())
    return Bundle.write(folder, shipped.card.model_copy(update={"name": name, "thresholds": thresholds}))


def doubtful(shade: int = 0) -> bytes:
    """A JPEG that the scripted engine gives P(food) of about 0.8; `shade` makes each one its own."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (112, shade, 100)).save(file, "JPEG", quality=95)
    return file.getvalue()
