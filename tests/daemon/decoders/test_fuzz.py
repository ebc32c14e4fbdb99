import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import Foodsort, tree
from tests.daemon.rows import rows
from tests.models.images.odd import KINDS, MANIFEST, ODD, needs_odd
from tests.programs import fuzz

pytestmark = pytest.mark.slow


def test_each_damaged_picture_has_one_place_and_one_row(root: Path) -> None:
    report = fuzz.run(root, 100, seed=6)
    assert report.ends.total() == report.rows == 100
    assert report.ends["failed"] == report.kinds.total() > 10
    assert fuzz.flat(report.daemon_kib)
    assert fuzz.flat(report.workers_kib)
    assert report.ends["food"] + report.ends["non_food"] > 10


def test_the_same_seed_gives_the_same_mutations() -> None:
    assert list(fuzz.mutations(40, 1)) == list(fuzz.mutations(40, 1)) != list(fuzz.mutations(40, 2))


def test_memory_is_compared_by_the_largest_of_each_third() -> None:
    assert fuzz.thirds([1, 5, 9, 2, 3, 4]) == (5, 4)
    assert fuzz.flat([100 << 10, 500 << 10, 150 << 10])
    assert not fuzz.flat([100 << 10, 100 << 10, 160 << 10])


@needs_odd
def test_each_odd_picture_is_filed_or_fails_as_expected(root: Path, foodsort: Foodsort) -> None:
    for row in MANIFEST:
        shutil.copyfile(ODD / row["file"], root / "inbox" / row["file"])
    code, _, err = foodsort("run", "--root", root, "--once")
    assert code == 0, err
    kinds = {row["name"]: row["error_kind"] for row in rows(root)}
    assert kinds == {row["file"]: KINDS.get(row["file"]) for row in MANIFEST}
    assert {name for name in tree(root) if name.startswith("inbox/")} == set()
