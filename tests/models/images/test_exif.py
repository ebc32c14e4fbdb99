import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin, TiffTags

from models.images.decode import Fit, decode
from models.images.exif import CAMERA_CHARS, Exif

ODD = Path(__file__).parents[3].parent / "shared/data/odd"
MAKE, MODEL, CHANGED, TAKEN, OFFSET, TAKEN_OFFSET = 0x010F, 0x0110, 0x0132, 0x9003, 0x9010, 0x9011
AT = "2026:07:01 18:30:00"


def exif_of(form: str = "JPEG", **tags: Any) -> Exif:
    """The EXIF fields of a picture with these tags, named as in this module."""
    block = Image.Exif()
    for name, value in tags.items():
        number = globals()[name]
        (block.get_ifd(0x8769) if number >= 0x9000 else block)[number] = value
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, form, exif=block)
    return decode(file.getvalue(), Fit(8)).exif


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_time_and_camera_are_read_from_every_format_that_has_them(form: str) -> None:
    found = exif_of(form, MAKE="Canon", MODEL="Canon EOS 80D", TAKEN=AT, TAKEN_OFFSET="+02:00")
    assert found == Exif("2026-07-01T18:30:00", "+02:00", "Canon EOS 80D")


def test_the_time_of_the_last_change_is_only_a_fallback() -> None:
    changed = {"CHANGED": "2026:08:02 09:00:00", "OFFSET": "+01:00", "TAKEN_OFFSET": "+02:00"}
    assert exif_of(**changed)[:2] == ("2026-08-02T09:00:00", "+01:00")
    assert exif_of(**changed, TAKEN=AT)[:2] == ("2026-07-01T18:30:00", "+02:00")
    assert exif_of(**changed, TAKEN="    :  :     :  :  ")[:2] == ("2026-08-02T09:00:00", "+01:00")


@pytest.mark.parametrize(
    "time",
    ["0000:00:00 00:00:00", "2026:13:01 00:00:00", "yesterday", "", "2026:07:01", "２０２６:07:01 18:30:00", AT + "Z"],
)
def test_an_invalid_time_is_ignored_with_its_zone(time: str) -> None:
    assert exif_of(TAKEN=time, TAKEN_OFFSET="+02:00") == Exif()


@pytest.mark.parametrize("time", ["2026-07-01 18:30:00", "2026:07:01T18:30:00", "2026/07/01 18:30:00", AT + "\0\0rest"])
def test_other_separators_between_the_numbers_are_accepted(time: str) -> None:
    assert exif_of(TAKEN=time).taken_at == "2026-07-01T18:30:00"


@pytest.mark.parametrize("offset", ["", "+2:00", "Z", "+15:00", "-03:60", "02:00"])
def test_an_invalid_zone_is_ignored(offset: str) -> None:
    assert exif_of(TAKEN=AT, TAKEN_OFFSET=offset) == Exif("2026-07-01T18:30:00")


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D750", "NIKON D750"),
        ("Apple", "iPhone 13 Pro Max", "Apple iPhone 13 Pro Max"),
        ("  Sony\0x", " DSC \n W5 ", "Sony DSC W5"),
        ("Ricoh", "", "Ricoh"),
        ("", "G-1", "G-1"),
        ("", " \0", None),
        ("小米", "红米", "小米 红米"),
        ("x" * 99, "model", "x" * 99),
        ("x" * 400, "y", "x" * CAMERA_CHARS),
    ],
)
def test_the_maker_appears_once_in_the_name_of_a_camera(make: str, model: str, camera: str | None) -> None:
    assert exif_of(MAKE=make.encode(), MODEL=model.encode()).camera == camera


def test_values_of_other_types_are_ignored() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[MODEL] = tags.tagtype[CHANGED] = TiffTags.SHORT
    tags[MODEL], tags[CHANGED] = 7, 2026
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + tags.tobytes(8))
    assert Image.open(file).getexif()[MODEL] == 7
    assert decode(file.getvalue(), Fit(8)).exif == Exif()


def test_tags_of_a_scanned_tiff_are_read() -> None:
    assert exif_of("TIFF", MODEL="Scanner", CHANGED=AT) == Exif("2026-07-01T18:30:00", camera="Scanner")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exif-samples__iphone_13_pro_max.HEIC", "Apple iPhone 13 Pro Max"),
        ("metadata-extractor-images__Leica_T_Typ_701.jpg", "LEICA"),
        ("Pillow__invalid-exif.jpg", ""),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.skipif(not ODD.exists(), reason="the odd photos of ../shared are not here")
def test_exif_of_real_cameras_is_read(name: str, expected: str) -> None:
    found = decode((ODD / name).read_bytes(), Fit()).exif
    assert (found.camera or "").startswith(expected)
    assert bool(found.taken_at) == bool(expected)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("cut", range(2, 120, 3))
def test_a_picture_with_a_damaged_exif_block_decodes(cut: int) -> None:
    block = Image.Exif()
    block[MAKE], block[MODEL] = "maker", "model"
    block.get_ifd(0x8769)[TAKEN] = AT
    data = bytearray(block.tobytes())
    data[cut % len(data)] ^= 0xFF
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=bytes(data))
    assert decode(file.getvalue(), Fit(8)).pixels.shape == (8, 8, 3)
