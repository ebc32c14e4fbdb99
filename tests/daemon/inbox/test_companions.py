import itertools
import os
import unicodedata

import pytest

from daemon.inbox.companions import CompanionRules, placed_name

RULES = CompanionRules()
LONG = "a photo whose name is so long that Takeout cuts it"

FAMILIES = [
    ("IMG_1.MOV", "IMG_1.HEIC"),
    ("IMG_1.mp4", "IMG_1.jpg"),
    ("PXL_20240101.MP.xmp", "PXL_20240101.MP.jpg"),
    ("IMG_1.xmp", "IMG_1.JPG"),
    ("IMG_1.JPG.xmp", "IMG_1.JPG"),
    ("IMG_1.AAE", "IMG_1.HEIC"),
    ("IMG_E1234.AAE", "IMG_1234.HEIC"),
    ("IMG_E1234.AAE", "IMG_E1234.HEIC"),
    ("IMG_O1234.AAE", "IMG_1234.HEIC"),
    ("IMG_1234.AAE", "IMG_E1234.HEIC"),
    ("MVI_1.THM", "MVI_1.JPG"),
    ("_MG_1.CR2", "_MG_1.JPG"),
    ("_MG_1.DNG", "_MG_1.heic"),
    ("_MG_1.CR2.xmp", "_MG_1.JPG"),
    ("_MG_1.CR2.xmp", "_MG_1.CR2"),
    ("_MG_1.pp3", "_MG_1.NEF"),
    ("_MG_1.JPG.pp3", "_MG_1.JPG"),
    ("_MG_1.NEF.dop", "_MG_1.NEF"),
    ("_MG_1.WAV", "_MG_1.JPG"),
    ("IMG_1.jpg.json", "IMG_1.jpg"),
    ("IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
    ("IMG_20240101_120000_BURST001.jpg.supplemental-.json", "IMG_20240101_120000_BURST001.jpg"),
    ("IMG_1.jpg(1).json", "IMG_1(1).jpg"),
    ("IMG_1.jpg.supplemental-metadata(2).json", "IMG_1(2).jpg"),
    (f"{LONG[:46]}.json", f"{LONG}.jpg"),
    ("tête.MOV", unicodedata.normalize("NFD", "tête.HEIC")),
    (unicodedata.normalize("NFD", "tête.MOV"), "tête.HEIC"),
    ("IMG_1.xmp", "IMG_1"),
]
STRANGERS = [
    ("IMG_1.MOV", "IMG_10.HEIC"),
    ("IMG_10.MOV", "IMG_1.HEIC"),
    ("img_1.MOV", "IMG_1.HEIC"),
    ("IMG_1.MOV", "IMG_1.xmp"),
    ("IMG_1.MOV", "IMG_1.MOV"),
    ("IMG_1.txt", "IMG_1.jpg"),
    ("IMG_1.CR2", "IMG_1.CR2"),
    ("IMG_1.CR2", "IMG_1.png"),
    ("IMG_1.jpg", "IMG_1.heic"),
    ("IMG_1.jpg.json", "IMG_1(1).jpg"),
    ("IMG_1.jpg(1).json", "IMG_1.jpg"),
    ("IMG_E1234.MOV", "IMG_1234.HEIC"),
    ("xmp", "xmp.jpg"),
    (".xmp", "x.jpg"),
]


@pytest.mark.parametrize(("companion", "photo"), FAMILIES)
def test_a_companion_belongs_to_the_photo_of_its_name(companion: str, photo: str) -> None:
    name, of = os.fsencode(companion), os.fsencode(photo)
    assert RULES.may_be_companion(name)
    assert RULES.belongs(name, of)
    assert RULES.photo_of(name, RULES.index([b"other.jpg", of, name])) == of


@pytest.mark.parametrize(("name", "other"), STRANGERS)
def test_other_files_are_no_companions(name: str, other: str) -> None:
    assert not RULES.belongs(os.fsencode(name), os.fsencode(other))
    assert RULES.photo_of(os.fsencode(name), RULES.index([os.fsencode(other)])) is None


@pytest.mark.parametrize(("companion", "photo"), FAMILIES)
def test_the_photo_is_in_one_of_the_ranges(companion: str, photo: str) -> None:
    name, of = os.fsencode(companion), os.fsencode(photo)
    assert any(low <= of < high for low, high in RULES.ranges(name))
    assert not any(low <= b"IMG_77.JPG" < high for low, high in RULES.ranges(name))


def test_the_most_likely_photo_comes_first() -> None:
    photos = RULES.index([b"IMG_E1234.HEIC", b"IMG_1234.HEIC"])
    assert RULES.photo_of(b"IMG_E1234.AAE", photos) == b"IMG_E1234.HEIC"
    assert RULES.photo_of(b"IMG_1234.AAE", photos) == b"IMG_1234.HEIC"
    for names in itertools.permutations([b"_MG_1.CR2", b"_MG_1.JPG"]):
        assert RULES.photo_of(b"_MG_1.xmp", RULES.index(names)) == b"_MG_1.JPG"


def test_capitals_count_as_the_filesystem_has_them() -> None:
    rules = CompanionRules(ignore_case=True)
    assert rules.belongs(b"img_1.MOV", b"IMG_1.HEIC")
    assert any(low <= b"IMG_1.HEIC" < high for low, high in rules.ranges(b"img_1.MOV"))


def test_settings_add_endings() -> None:
    rules = CompanionRules([".TXT"])
    assert rules.belongs(b"IMG_1.txt", b"IMG_1.jpg")


def test_names_that_are_no_utf_8_have_companions() -> None:
    assert RULES.belongs(b"caf\xe9.mov", b"caf\xe9.jpg")
    assert any(low <= b"caf\xe9.jpg" < high for low, high in RULES.ranges(b"caf\xe9.mov"))


@pytest.mark.parametrize(
    ("companion", "photo", "placed", "expected"),
    [
        ("IMG_1.MOV", "IMG_1.HEIC", "IMG_1.HEIC", "IMG_1.MOV"),
        ("IMG_1.MOV", "IMG_1.HEIC", "IMG_1 (2).HEIC", "IMG_1 (2).MOV"),
        ("IMG_1.HEIC.xmp", "IMG_1.HEIC", "IMG_1 (2).HEIC", "IMG_1 (2).HEIC.xmp"),
        ("IMG_E1.AAE", "IMG_1.HEIC", "IMG_1 (3).HEIC", "IMG_E1 (3).AAE"),
        ("IMG_1.jpg(1).json", "IMG_1(1).jpg", "IMG_1(1) (2).jpg", "IMG_1.jpg(1) (2).json"),
        ("IMG_1.CR2.xmp", "IMG_1.JPG", "IMG_1 (2).JPG", "IMG_1 (2).CR2.xmp"),
        ("10:30.MOV", "10:30.HEIC", "10_30.HEIC", "10_30.MOV"),
        ("IMG_E1.AAE", "IMG_1.HEIC", "other.HEIC", "IMG_E1.AAE"),
    ],
)
def test_a_companion_gets_the_new_name_of_its_photo(companion: str, photo: str, placed: str, expected: str) -> None:
    assert placed_name(companion.encode(), photo.encode(), placed.encode()) == expected.encode()
