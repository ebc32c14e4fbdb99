"""Which photo a path names, and whose place it is, when the clock was set back."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections
from daemon.photo import FILED
from daemon.queries import photo_rows
from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.rows import connect, rows

pytestmark = pytest.mark.slow


def test_of_two_rows_of_one_place_the_newest_by_number_counts_when_the_clock_was_set_back(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_FOLDERS__DRAGS", "false")  # else the next start would notice that it has left
    for shade in (1, 2):  # the second photo comes to the place that the first one left
        (root / "inbox/a.jpg").write_bytes(photo(shade=shade))
        assert foodsort("run", "--root", root, "--once")[0] == 0
        if shade == 1:
            (root / "food/a.jpg").rename(root / "taken.jpg")
    with connect(root) as connection:
        connection.execute(sa.text("UPDATE photos SET filed_at = '2099-01-01T00:00:00.000000Z' WHERE id = 1"))
    code, _, err = foodsort("undo", "--root", root, root / "food/a.jpg")
    assert (code, err) == (0, "")
    assert {row["id"]: row["state"] for row in rows(root)} == {1: "filed", 2: "undone"}


def test_a_place_is_reused_by_the_newer_row_when_the_clock_was_set_back(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    for path in ("first.jpg", "a.jpg"):
        (root / "inbox" / path).write_bytes(photo())
        assert foodsort("run", "--root", root, "--once")[0] == 0
    with connect(root) as connection:  # the first photo was at the place of the second before, by a clock ahead of time
        connection.execute(
            sa.text(
                "UPDATE photos SET path = b.path, path_bytes = b.path_bytes, name = b.name,"
                " filed_at = '2099-01-01T00:00:00.000000Z'"
                " FROM (SELECT path, path_bytes, name FROM photos WHERE id = 2) AS b WHERE photos.id = 1"
            )
        )
    engine = connections.connect_to_read(addresses.database_url(root, ""))
    first, second = photo_rows.newest(engine, (FILED,), 2)[::-1]
    assert (photo_rows.is_place_reused(engine, first), photo_rows.is_place_reused(engine, second)) == (True, False)
    engine.dispose()
