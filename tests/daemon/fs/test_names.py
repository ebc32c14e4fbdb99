import itertools
from random import Random

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

    names = candidates(b"a.jpg", lambda name: False)  # others may take a name after it was looked at
    assert use_first_free(names, create) == b"a (3).jpg"
    assert taken == [b"a.jpg", b"a (2).jpg", b"a (3).jpg"]


def test_a_name_that_cannot_be_used_for_another_reason_ends_the_search() -> None:
    def create(name: bytes) -> None:
        raise PermissionError(name)

    with pytest.raises(PermissionError):
        use_first_free(candidates(b"a.jpg", lambda name: False), create)


def test_a_free_name_among_thousands_is_found_with_few_looks() -> None:
    taken = {numbered(b"a.jpg", number) for number in range(1, 30_001)}
    looks: list[bytes] = []

    def is_taken(name: bytes) -> bool:
        looks.append(name)
        return name in taken

    assert next(candidates(b"a.jpg", is_taken)) == b"a (30001).jpg"
    assert len(looks) < 40


@pytest.mark.parametrize("seed", range(20))
def test_with_gaps_each_candidate_is_another_free_name(seed: int) -> None:
    random = Random(seed)
    taken = {numbered(b"a.jpg", number) for number in range(1, 300) if random.random() < 0.8}
    found = list(itertools.islice(candidates(b"a.jpg", taken.__contains__), 20))
    assert len(set(found)) == 20
    assert taken.isdisjoint(found)


def test_a_suffix_fits_behind_every_numbered_name() -> None:
    name = b"x" * 251 + b".jpg"
    first, second = itertools.islice(candidates(name, lambda _: False, suffix_bytes=11), 2)
    assert first == name
    assert len(second) == 244
    assert second.endswith(b" (2).jpg")
