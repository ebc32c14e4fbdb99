import pytest

from daemon.names import numbered, raw, shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"soup.jpg", "soup.jpg"),
        ("Käse 🧀.jpg".encode(), "Käse 🧀.jpg"),
        (b"a\nb\tc\x1b[31m", r"a\x0ab\x09c\x1b[31m"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        (b"back\\slash", r"back\x5cslash"),
        ("\u202egpj.exe".encode(), r"\xe2\x80\xaegpj.exe"),
        ("\x85next".encode(), r"\xc2\x85next"),
    ],
)
def test_names_are_shown_safely_and_read_back(name: bytes, text: str) -> None:
    assert shown(name) == text
    assert raw(text) == name


def test_every_byte_survives_being_shown() -> None:
    every = bytes(range(1, 256))
    assert raw(shown(every)) == every


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        (b"soup.jpg", 1, b"soup.jpg"),
        (b"soup.jpg", 2, b"soup (2).jpg"),
        (b"soup", 3, b"soup (3)"),
        (b"a.b.tar", 2, b"a.b (2).tar"),
        (b".hidden", 2, b".hidden (2)"),
        (b"No. this is a whole sentence", 2, b"No. this is a whole sentence (2)"),
    ],
)
def test_numbers_stand_before_the_extension(name: bytes, number: int, expected: bytes) -> None:
    assert numbered(name, number) == expected


def test_a_long_stem_is_shortened_between_characters() -> None:
    name = "é".encode() * 125 + b".jpeg"
    shortened = numbered(name, 10)
    assert len(name) == 255
    assert 253 <= len(shortened) <= 255
    assert shortened.endswith(b" (10).jpeg")
    shortened.decode()


def test_a_name_that_fits_exactly_keeps_every_byte() -> None:
    name = b"x" * 251 + b".jpg"
    assert numbered(name, 1) == name
