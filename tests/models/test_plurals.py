import pytest

from models.plurals import is_or_are, plural


@pytest.mark.parametrize(("number", "sentence"), [(0, "0 photos are"), (1, "1 photo is"), (2, "2 photos are")])
def test_noun_and_verb_fit_the_number(number: int, sentence: str) -> None:
    assert f"{number} {plural(number, 'photo')} {is_or_are(number)}" == sentence
