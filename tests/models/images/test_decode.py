import errno
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from models.errors import ImageError, ImageErrorKind
from models.images.decode import Fit, Pixels, Within, decode
from tests.models.images.odd import KINDS, MANIFEST, ODD, needs_odd
from tests.models.images.scenes import encoded

pytestmark = pytest.mark.slow

# Pillow warns of the broken tags in some of these files.
broken_tags = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def scene(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture without any symmetry, and with detail, so that a cut in its data shows."""
    noise = np.random.default_rng(1).integers(0, 40, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    draw = ImageDraw.Draw(image)
    width, height = size
    draw.rectangle((0, 0, width // 2, height // 3), fill=(230, 40, 30))
    draw.rectangle((0, height // 3, width // 4, height), fill=(30, 200, 60))
    draw.ellipse((width // 2, height // 2, width - 9, height - 9), fill=(40, 60, 220))
    return image


def apart(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference of two pictures, 0 to 255."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def kind_of(data: bytes, **options: Any) -> ImageErrorKind:
    with pytest.raises(ImageError) as caught:
        decode(data, Fit(), **options)
    return caught.value.kind


@needs_odd
def test_each_odd_file_that_does_not_decode_has_an_expected_kind() -> None:
    assert set(KINDS) == {row["file"] for row in MANIFEST if row["outcome"] != "decodes"}


@needs_odd
@broken_tags
@pytest.mark.parametrize("row", MANIFEST, ids=lambda row: str(row["file"])[:40])
def test_every_odd_file_decodes_or_has_an_error(row: dict[str, str]) -> None:
    with (ODD / row["file"]).open("rb") as file:
        if row["outcome"] == "decodes":
            picture = decode(file, Fit())
            assert picture.pixels.shape == (224, 224, 3)
            assert picture.pixels.dtype == np.uint8
        else:
            with pytest.raises(ImageError) as caught:
                decode(file, Fit())
            assert caught.value.kind is KINDS[row["file"]]


@needs_odd
def test_the_eight_orientations_of_one_scene_are_one_picture() -> None:
    names = [f"exif-orientation-examples__Landscape_{number}.jpg" for number in range(1, 9)]
    pictures = [decode((ODD / name).read_bytes(), Fit()).pixels for name in names]
    for picture in pictures[1:]:
        # A digit in the middle differs, and so do the JPEGs; turned wrongly, the scene would be 40 and more apart.
        assert apart(picture, pictures[0]) < 5
    assert apart(pictures[0][:, ::-1], pictures[0]) > 30
    assert apart(pictures[0][::-1], pictures[0]) > 30


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_orientation_is_applied(orientation: int, form: str) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = scene()
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if form in {"JPEG", "WEBP"} else {}
    turned = decode(saved(stored, form, exif=exif, **options), Fit()).pixels
    expected = decode(saved(upright, "PNG"), Fit()).pixels
    assert apart(turned, expected) < (6 if options else 0.5)  # lossless ones only differ in how scaling rounds
    if orientation > 1:
        assert apart(decode(saved(stored, form, **options), Fit()).pixels, expected) > 20


@pytest.mark.parametrize(
    ("size", "shape"),
    [((640, 480), (75, 100)), ((480, 640), (100, 75)), ((5000, 20), (1, 100)), ((60, 40), (40, 60))],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_for_display_keeps_its_aspect_ratio_and_never_grows(
    size: tuple[int, int], shape: tuple[int, int], form: str
) -> None:
    picture = decode(saved(scene(size), form, quality=95), Within(100))
    assert picture.pixels.shape == (*shape, 3)
    assert (picture.width, picture.height) == size
    expected = np.asarray(scene(size).resize(shape[::-1], Image.Resampling.BOX))
    assert apart(picture.pixels, expected) < 10


def test_a_picture_for_display_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(saved(scene(), "JPEG", exif=exif), Within(100)).pixels.shape == (100, 75, 3)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_invalid_orientation_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert (
        apart(decode(saved(scene(), "PNG", exif=exif), Fit()).pixels, decode(saved(scene(), "PNG"), Fit()).pixels) == 0
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF", "JXL", "JPEG2000"])
def test_each_format_is_recognised_by_its_bytes_and_keeps_its_colour(form: str) -> None:
    picture = decode(saved(Image.new("RGB", (300, 200), (200, 100, 50)), form), Fit())
    assert (picture.format, picture.width, picture.height) == (form, 300, 200)
    assert np.abs(picture.pixels.astype(int) - (200, 100, 50)).max() <= 6


@pytest.mark.parametrize("name", ["photo.heic", "photo.txt", "photo"])
def test_the_name_of_a_file_does_not_matter(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(saved(scene(), "PNG"))
    with (tmp_path / name).open("rb") as file:
        assert decode(file, Fit()).format == "PNG"


def test_transparency_is_composed_over_white() -> None:
    half = Image.new("RGBA", (64, 64), (255, 0, 0, 128))
    for form in ("PNG", "WEBP", "TIFF"):
        assert np.abs(decode(saved(half, form), Fit()).pixels.astype(int) - (255, 127, 127)).max() <= 3
    grey = Image.new("LA", (64, 64), (0, 0))
    assert decode(saved(grey, "PNG"), Fit()).pixels.min() == 255


def test_a_transparent_palette_and_a_transparent_colour_are_composed_over_white() -> None:
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert (decode(saved(palette, "PNG"), Fit()).pixels == (10, 20, 30)).all()
    assert decode(saved(palette, "PNG", transparency=1), Fit()).pixels.min() == 255
    assert decode(saved(palette, "GIF", transparency=1), Fit()).pixels.min() == 255
    plain = Image.new("RGB", (64, 64), (10, 20, 30))
    assert decode(saved(plain, "PNG", transparency=(10, 20, 30)), Fit()).pixels.min() == 255


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(form: str) -> None:
    for level, expected in ((0, 0), (300, 1), (32768, 128), (65535, 255)):
        grey = Image.fromarray(np.full((64, 64), level, np.uint16))
        assert np.unique(decode(saved(grey, form), Fit()).pixels) == [expected]


def test_other_modes_become_rgb() -> None:
    assert np.unique(decode(saved(Image.new("1", (64, 64), 1), "PNG"), Fit()).pixels) == [255]
    assert np.unique(decode(saved(Image.new("L", (64, 64), 77), "JPEG"), Fit()).pixels) == [77]
    assert np.unique(decode(saved(Image.new("F", (64, 64), 0.5), "TIFF"), Fit()).pixels) == [127]
    assert np.unique(decode(saved(Image.new("F", (64, 64), 99.0), "TIFF"), Fit()).pixels) == [99]
    cyan = decode(saved(Image.new("CMYK", (64, 64), (255, 0, 0, 0)), "JPEG"), Fit()).pixels
    assert cyan[0, 0, 0] < 10
    assert cyan[0, 0, 1:].min() > 245


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue")]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        data = saved(frames[0], form, save_all=True, append_images=frames[1:])
        assert np.abs(decode(data, Fit()).pixels.astype(int) - (255, 0, 0)).max() <= 3


def test_a_colour_profile_is_applied_and_a_broken_one_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    grey_in_lab = Image.new("LAB", (64, 64), (128, 128, 128))
    converted = decode(saved(grey_in_lab, "TIFF", icc_profile=lab), Fit()).pixels
    assert np.ptp(converted[0, 0].astype(int)) <= 3
    assert 105 < converted.mean() < 135
    broken = saved(Image.new("RGB", (64, 64), (200, 100, 50)), "PNG", icc_profile=b"no profile")
    assert (decode(broken, Fit()).pixels == (200, 100, 50)).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_profile_with_swapped_channels_is_applied(form: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The tag table's names of the two primaries change places.
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    image = Image.new("RGB", (64, 64), (200, 100, 50))
    options = {"quality": 95} if form != "PNG" else {}
    for profile, expected in ((srgb, (200, 100, 50)), (swapped, (50, 100, 200))):
        pixels = decode(saved(image, form, icc_profile=profile, **options), Fit()).pixels
        assert np.abs(pixels.astype(int) - expected).max() <= 4


def test_decompression_bombs_are_refused_by_the_callers_limit() -> None:
    data = saved(Image.new("L", (2000, 1000)), "PNG")
    assert kind_of(data, max_pixels=1_999_999) is ImageErrorKind.TOO_LARGE
    assert decode(data, Fit(), max_pixels=2_000_000).width == 2000
    huge = saved(Image.new("1", (20_000, 20_000)), "PNG")
    assert kind_of(huge) is ImageErrorKind.TOO_LARGE
    assert kind_of(huge[:64]) is ImageErrorKind.TOO_LARGE  # by the header alone: there is nothing to decode yet
    assert decode(huge, Fit(), max_pixels=400_000_000).height == 20_000


@broken_tags
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_picture_is_an_error(form: str, part: float) -> None:
    data = saved(scene(), form)
    assert kind_of(data[: int(len(data) * part)]) is ImageErrorKind.TRUNCATED


@broken_tags
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "TIFF", "BMP", "JXL", "JPEG2000"])
def test_a_picture_truncated_in_its_header_is_an_error(form: str) -> None:
    data = saved(scene((64, 48)), form)
    for end in range(1, 64):
        assert kind_of(data[:end]) is not ImageErrorKind.EMPTY


@broken_tags
@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_a_truncated_uncompressed_picture_is_an_error(form: str) -> None:
    data = saved(scene(), form)
    assert kind_of(data[: len(data) // 2]) in {ImageErrorKind.TRUNCATED, ImageErrorKind.CORRUPT}


@broken_tags
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "HEIF", "AVIF", "JXL", "JPEG2000"])
def test_damage_gives_a_picture_or_an_error_with_a_kind(form: str) -> None:
    data = saved(scene((160, 120)), form)
    random = np.random.default_rng(0)
    outcomes: set[object] = set()
    for _ in range(60):
        damaged = bytearray(data)
        for at in (len(data) * random.random(8) ** 4).astype(int):  # most of it in the header
            damaged[at] = random.integers(0, 256)
        try:
            outcomes.add(decode(bytes(damaged), Fit()).pixels.shape)
        except ImageError as error:
            outcomes.add(error.kind)
    assert outcomes & set(ImageErrorKind)
    assert outcomes <= {(224, 224, 3), *ImageErrorKind}


@pytest.mark.parametrize(
    "data",
    [b"a shopping list", b"%PDF-1.7\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM and more", b"\0" * 4096],
)
def test_a_file_that_is_not_an_image_has_its_own_kind(data: bytes) -> None:
    assert kind_of(data) is ImageErrorKind.NOT_AN_IMAGE


def test_a_file_without_bytes_is_empty() -> None:
    assert kind_of(b"") is ImageErrorKind.EMPTY


def unknown_tiff(tag: int, value: int) -> bytes:
    """A TIFF in which a tag of one short number has another value."""
    data = bytearray(saved(scene((64, 48)), "TIFF", compression="tiff_lzw"))
    at = data.index(struct.pack("<HHI", tag, 3, 1))
    struct.pack_into("<H", data, at + 8, value)
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: unknown_tiff(259, 34661), "JBIG"),
        (lambda: unknown_tiff(262, 10), "ITULAB"),
        (lambda: encoded("jpeg8", np.zeros((32, 32, 4), np.uint16), level=90, bitspersample=12), "12 bits"),
        (lambda: saved(scene((64, 48)), "JPEG").replace(b"\xff\xc0", b"\xff\xc5"), "SOF5"),
        (lambda: saved(scene((64, 48)), "AVIF").replace(b"avif", b"mif1"), "AV1"),
        (lambda: saved(Image.new("RGB", (8, 8)), "BMP").replace(b"\x18\0" + bytes(4), b"\x18\0\x0b\0\0\0"), "BMP"),
    ],
    ids=[
        "TIFF compression",
        "TIFF colours",
        "JPEG of four channels",
        "hierarchical JPEG",
        "HEIF codec",
        "BMP compression",
    ],
)
def test_a_sound_image_that_no_library_decodes_is_unsupported(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(ImageError, match="convert it to JPEG or PNG") as caught:
        decode(make(), Fit())
    assert caught.value.kind is ImageErrorKind.UNSUPPORTED
    assert words in str(caught.value)


def test_text_and_profiles_of_a_png_have_a_limit() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "x" * (65 << 20), zip=True)
    assert kind_of(saved(scene((64, 48)), "PNG", pnginfo=info)) is ImageErrorKind.TOO_LARGE


def test_unlisted_formats_are_refused() -> None:
    for form in ("PPM", "TGA", "ICO", "EPS"):
        assert kind_of(saved(scene((64, 64)), form)) is ImageErrorKind.NOT_AN_IMAGE


@pytest.mark.parametrize("side", [96, 224, 320])
def test_pictures_become_squares_of_the_given_side(side: int) -> None:
    assert decode(saved(scene(), "JPEG"), Fit(side)).pixels.shape == (side, side, 3)


def test_stretching_keeps_the_edges_and_cropping_cuts_them() -> None:
    image = Image.new("RGB", (400, 200), "blue")
    image.paste("red", (0, 0, 60, 200))
    stretched = decode(saved(image, "PNG"), Fit(mode="stretch")).pixels
    cropped = decode(saved(image, "PNG"), Fit(mode="crop")).pixels
    assert stretched[0, 0, 0] > 200
    assert cropped[0, 0, 0] < 50


def test_large_jpegs_are_decoded_at_a_reduced_scale_with_nearly_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = scene((4000, 3000)).resize((400, 300)).resize((4000, 3000))
    data = saved(photo, "JPEG", quality=95)
    loaded: list[tuple[int, int]] = []
    plain: Callable[..., Any] = Image.Image.resize

    def resize(self: Image.Image, *words: Any, **options: Any) -> Image.Image:
        loaded.append(self.size)
        result: Image.Image = plain(self, *words, **options)
        return result

    monkeypatch.setattr(Image.Image, "resize", resize)
    picture = decode(data, Fit())
    assert loaded[0] == (1000, 750)  # a quarter: an eighth would be less than twice the side
    assert (picture.width, picture.height) == (4000, 3000)
    full = decode(saved(photo, "PNG"), Fit()).pixels
    assert apart(picture.pixels, full) < 2


def test_an_open_file_is_read_like_bytes(tmp_path: Path) -> None:
    data = saved(scene(), "JPEG")
    (tmp_path / "photo").write_bytes(data)
    with (tmp_path / "photo").open("rb") as file:
        assert apart(decode(file, Fit()).pixels, decode(data, Fit()).pixels) == 0


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("reads", [0, 1])
def test_disk_errors_are_not_errors_of_the_picture(form: str, reads: int) -> None:
    class Failing(io.BytesIO):
        left = reads

        def read(self, size: int | None = -1) -> bytes:
            if self.left == 0:
                raise OSError(errno.EIO, "Input/output error")
            self.left -= 1
            return super().read(size)

    with pytest.raises(OSError, match="Input/output") as caught:
        decode(Failing(saved(scene(), form)), Fit())
    assert caught.value.errno == errno.EIO
