import pytest

from daemon.fs.names import numbered


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
