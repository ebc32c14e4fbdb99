import pytest

from benchmarks import heads
from training.fitting.recipe import Recipe

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("limit", "method"), [(200, "exact"), (199, "Nyström")])
def test_it_fits_a_head_to_so_many_pictures(monkeypatch: pytest.MonkeyPatch, limit: int, method: str) -> None:
    monkeypatch.setattr(heads, "Recipe", lambda: Recipe(components=20, exact_limit=limit, landmarks=50))
    name, centres, seconds, memory = heads.measure(200)
    assert name == method
    assert 2 <= centres <= 200
    assert float(seconds) >= 0
    assert memory > 10
