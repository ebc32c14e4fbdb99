from pathlib import Path

import pytest

from tests.programs.soak import Soak

pytestmark = pytest.mark.slow


@pytest.mark.system  # takes minutes
@pytest.mark.parametrize("copies", [False, True])
def test_repeated_kills_lose_duplicate_and_change_no_photo(tmp_path: Path, copies: bool) -> None:
    audit = Soak(tmp_path / "root", seed=1, copies=copies).run(photos=100, kills=10)
    assert (audit.photos, audit.kills) == (100, 10)
    assert audit.while_claimed > 5  # else it was no test
    assert audit.sound, audit
