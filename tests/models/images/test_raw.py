"""Raw files of cameras, told by their bytes and shown by their largest preview or by the sensor's values."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import ImageError, ImageErrorKind
from models.images.decode import Fit, Pixels, Within, decode
from models.images.exif import Exif
from models.images.formats import identify
from tests.models.images.raw_files import dng, jpeg, picture
from tests.models.images.scenes import turned

pytestmark = pytest.mark.slow

RAW = Path(__file__).parents[3].parent / "shared/data/raw"
FIT = Fit(96)
LEVELS = 3.0
needs_raw = pytest.mark.skipif(not RAW.exists(), reason="the raw files of ../shared are not here")


def fitted(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((96, 96), Image.Resampling.BILINEAR, reducing_gap=2.0))


def apart(data: bytes, expected: Pixels) -> float:
    """Mean difference of a file's pixels from the expected ones, 0 to 255."""
    return float(np.abs(decode(data, FIT).pixels.astype(int) - fitted(expected)).mean())


def kind_of(data: bytes, max_pixels: int = 10**8) -> ImageErrorKind:
    with pytest.raises(ImageError) as caught:
        decode(data, FIT, max_pixels)
    return caught.value.kind


@pytest.mark.parametrize("smaller_first", [True, False])
def test_the_largest_preview_counts(smaller_first: bool) -> None:
    scene = picture()
    large, small = jpeg(255 - scene, 600), jpeg(scene[::-1], 400)
    data = dng(scene, previews=(small, large) if smaller_first else (large, small))
    assert apart(data, 255 - scene) <= LEVELS
    found = decode(data, FIT)
    assert (found.format, found.width, found.height) == ("DNG", 800, 600)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_preview_is_turned_like_the_sensors_values(orientation: int) -> None:
    scene = picture()
    data = dng(scene, orientation=orientation, previews=(jpeg(turned(scene, orientation), 600),))
    assert apart(data, scene) <= LEVELS
    tags = Image.Exif()
    tags[0x0112] = orientation
    data = dng(scene, orientation=orientation, previews=(jpeg(turned(scene, orientation), 600, exif=tags),))
    assert apart(data, scene) <= LEVELS


def test_a_preview_that_is_upright_already_is_not_turned() -> None:
    scene = picture()
    assert apart(dng(scene, orientation=6, previews=(jpeg(scene),)), scene) <= LEVELS


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_without_a_preview_the_sensors_values_are_demosaiced(orientation: int) -> None:
    scene = picture()
    data = dng(scene, orientation=orientation)
    assert apart(data, scene) <= LEVELS
    assert decode(data, Within(4000)).pixels.shape == (300, 400, 3)  # half the size, upright, without a tag of its own


def test_thumbnails_and_damaged_previews_are_passed_over() -> None:
    scene = picture()
    assert apart(dng(scene, previews=(jpeg(255 - scene, 160),)), scene) <= LEVELS
    large = jpeg(255 - scene)
    assert apart(dng(scene, previews=(large[:700] + bytes(len(large) - 700),)), scene) <= LEVELS


@pytest.mark.parametrize(
    ("make", "form"), [("NIKON CORPORATION", "NEF"), ("SONY", "ARW"), ("PENTAX", "RAW"), ("OLYMPUS IMAGING", "ORF")]
)
def test_raw_files_of_other_makers_are_told_from_tiffs(make: str, form: str) -> None:
    scene = picture()
    data = dng(scene, previews=(jpeg(scene),), make=make, is_dng=False)
    assert decode(data, FIT).format == form
    assert apart(data, scene) <= LEVELS


def test_a_raw_file_with_a_header_of_its_own_is_told_by_it() -> None:
    scene = picture()
    data = b"IIRO" + dng(scene, previews=(jpeg(scene),), make="OLYMPUS IMAGING", is_dng=False)[4:]
    assert decode(data, FIT).format == "ORF"
    assert decode(data, FIT).exif.camera == "OLYMPUS IMAGING One"
    heads = {
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "CR3",
        b"FUJIFILMCCD-RAW 0201": "RAF",
        b"IIU\0\x18\0\0\0": "RW2",
        b"MMOR\0\0\0\x08": "ORF",
    }
    assert [identify(head) for head in heads] == list(heads.values())


def test_exif_data_of_a_raw_file_are_read() -> None:
    assert decode(dng(picture(), orientation=6), FIT).exif == Exif("2026-07-01T18:30:00", camera="Acme One")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_raw_file_that_is_cut_off_is_truncated(share: float) -> None:
    scene = picture()
    for data in (dng(scene), dng(scene, previews=(jpeg(scene),))):
        assert kind_of(data[: int(len(data) * share)]) is ImageErrorKind.TRUNCATED


def test_what_libraw_does_not_know_is_unsupported() -> None:
    assert kind_of(dng(picture(), has_sensor=False, previews=(jpeg(picture()),))) is ImageErrorKind.UNSUPPORTED


def test_a_sensor_without_values_is_damage_and_no_black_picture() -> None:
    assert kind_of(dng(np.zeros((600, 800, 3), np.uint8))) is ImageErrorKind.CORRUPT


def test_the_limit_of_pixels_holds_for_the_sensor_and_the_jpeg() -> None:
    scene = picture()
    assert kind_of(dng(scene), 479_999) is ImageErrorKind.TOO_LARGE
    assert kind_of(dng(scene, previews=(jpeg(scene, 1600),)), 500_000) is ImageErrorKind.TOO_LARGE


@needs_raw
@pytest.mark.parametrize("path", sorted(RAW.glob("*")), ids=lambda path: path.name)
def test_raw_files_of_cameras_are_read_by_their_bytes(path: Path) -> None:
    data = path.read_bytes()
    if path.name.startswith("nikon"):  # JPEGs under another name
        assert decode(data, FIT).format == "JPEG"
        assert decode(data, FIT).pixels.std() > 20
    else:
        assert kind_of(data) in {ImageErrorKind.TRUNCATED, ImageErrorKind.CORRUPT}
