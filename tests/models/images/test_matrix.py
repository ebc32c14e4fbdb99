"""The pixels of every kind of picture, compared with those that another library reads."""

import numpy as np
import pytest
from PIL import Image

from models.images.decode import Fit, Pixels, decode
from models.images.formats import FORMATS, RAW_FORMATS
from tests.models.images.matrix import VARIANTS
from tests.models.images.references import Variant

pytestmark = pytest.mark.slow

FIT = Fit(96)
LEVELS = 3.0


def fitted(pixels: Pixels) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels, np.uint8))
    return np.asarray(image.resize((FIT.side, FIT.side), Image.Resampling.BILINEAR, reducing_gap=2.0))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: f"{variant.format}: {variant.name}")
def test_a_picture_has_the_pixels_that_another_library_reads(variant: Variant) -> None:
    data = variant.data()
    picture = decode(data, FIT)
    assert picture.format == variant.format
    expected = fitted(variant.expected(data))
    assert expected.std() > 20  # the other library read a picture
    assert np.abs(picture.pixels.astype(int) - expected).mean() <= LEVELS


def test_every_format_but_raw_and_headerless_bitmaps_is_in_the_matrix() -> None:
    assert {variant.format for variant in VARIANTS} == set(FORMATS) - {*RAW_FORMATS, "DIB"}
