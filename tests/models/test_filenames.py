import os

import pytest

from models.filenames import escape_name, unescape_name


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
def test_names_are_escaped_and_unescaped(name: bytes, text: str) -> None:
    assert escape_name(name) == text
    assert escape_name(os.fsdecode(name)) == text
    assert unescape_name(text) == name


def test_every_byte_survives_escaping() -> None:
    every = bytes(range(1, 256))
    assert unescape_name(escape_name(every)) == every
