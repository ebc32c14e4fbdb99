import itertools

import pytest

from daemon.fs.names import candidates, numbered, use_first_free


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
def test_a_number_is_added_before_the_extension(name: bytes, number: int, expected: bytes) -> None:
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


def test_names_are_tried_in_order_until_one_is_free() -> None:
    taken = [b"a.jpg", b"a (2).jpg"]

    def create(name: bytes) -> None:
        if name in taken:
            raise FileExistsError
        taken.append(name)

    assert use_first_free(candidates(b"a.jpg"), create) == b"a (3).jpg"
    assert taken == list(itertools.islice(candidates(b"a.jpg"), 3))


def test_a_name_that_cannot_be_used_for_another_reason_ends_the_search() -> None:
    def create(name: bytes) -> None:
        raise PermissionError(name)

    with pytest.raises(PermissionError):
        use_first_free(candidates(b"a.jpg"), create)
