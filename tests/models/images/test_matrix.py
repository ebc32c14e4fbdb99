"""The pixels of every kind of picture, compared with those that another library reads."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import ImageError, ImageErrorKind
from models.images import jxl
from models.images.decode import Fit, Pixels, decode
from models.images.formats import FORMATS, RAW_FORMATS
from tests.models.images.matrix import VARIANTS
from tests.models.images.references import Variant
from tests.models.images.scenes import HEIGHT, WIDTH, encoded

pytestmark = pytest.mark.slow

FIT = Fit(96)
LEVELS = 3.0
REPORTS = Path(__file__).parents[3].parent / "shared/data/reports"
needs_reports = pytest.mark.skipif(not REPORTS.exists(), reason="the reported pictures of ../shared are not here")


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


@pytest.mark.parametrize("variant", VARIANTS[::7], ids=lambda variant: f"{variant.format}: {variant.name}")
def test_the_limit_of_pixels_holds_for_every_reader(variant: Variant) -> None:
    data = variant.data()
    with pytest.raises(ImageError) as caught:
        decode(data, FIT, max_pixels=WIDTH * HEIGHT - 1)
    assert caught.value.kind is ImageErrorKind.TOO_LARGE
    assert decode(data, FIT, max_pixels=WIDTH * HEIGHT).width in {WIDTH, HEIGHT}


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 256), (257, 3), (640, 480), (1200, 1000), (16, 9), (4000, 2000), (9, 5000)]
)
@pytest.mark.parametrize("container", [False, True])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(size: tuple[int, int], container: bool) -> None:
    width, height = size
    data = encoded("jpegxl", np.zeros((height, width), np.uint8), usecontainer=container)
    assert jxl.size(io.BytesIO(data)) == size
    assert jxl.size(io.BytesIO(b"\xff\x0b" + data[2:])) is None


@needs_reports
@pytest.mark.parametrize("path", sorted(REPORTS.glob("1_*")), ids=lambda path: path.name)
def test_pictures_of_reports_have_the_pixels_of_their_controls(path: Path) -> None:
    if path.suffix == ".dng":
        with pytest.raises(ImageError, match="convert it") as caught:
            decode(path.read_bytes(), FIT)
        assert caught.value.kind is ImageErrorKind.UNSUPPORTED
        return
    pixels = decode(path.read_bytes(), FIT).pixels.astype(int)
    if "lab16" in path.name:  # its a* and b* are constant: it has the lightness of the grey control
        tinted = pixels @ (0.299, 0.587, 0.114)
        control = decode((REPORTS / "1_101_control_grey8.png").read_bytes(), FIT).pixels[..., 0]
        assert np.corrcoef(tinted.ravel(), control.ravel())[0, 1] > 0.98
        return
    depth = "grey8" if "grey" in path.name else "rgb8"
    control = decode((REPORTS / f"{path.name[:5]}_control_{depth}.png").read_bytes(), FIT).pixels
    assert np.abs(pixels - control).mean() <= LEVELS
