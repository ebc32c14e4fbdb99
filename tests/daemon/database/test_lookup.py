"""Copies of photos that were sorted earlier."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from daemon.database import schema
from daemon.database.lookup import Lookup, cached_logit, latest_review
from daemon.database.rows import DuplicateRow, KnownLogit, Review
from models.engines.scripted import ScriptedEngine
from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.processes import kill_run_at
from tests.daemon.rows import connect, rows, select

pytestmark = pytest.mark.slow

NOW = "2026-11-24T12:00:00.000000Z"


@pytest.fixture
def root(root: Path, each_database: None) -> Path:
    """A root whose results are recorded in a database of each kind."""
    return root


def copy(**changes: Any) -> DuplicateRow:
    plain = DuplicateRow("s", "filed", 1, KnownLogit(2.0, 64), 1, "filed", b"food/a.jpg", None)
    return plain._replace(**changes)


def run(root: Path, foodsort: Foodsort, **photos: bytes) -> str:
    """Drops photos and sorts them; returns the last line."""
    for name, data in photos.items():
        (root / f"inbox/{name}.jpg").write_bytes(data)
    code, out, err = foodsort("run", "--root", root, "--once")
    assert code == 0, err
    return out.splitlines()[-1]


def label_by_a_person(root: Path, photo_id: int, label: str) -> None:
    with connect(root) as connection:
        connection.execute(schema.reviews.insert().values(photo_id=photo_id, label=label, reviewed_at=NOW))


@pytest.fixture
def batch_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that the network classifies."""
    sizes: list[int] = []
    logits = ScriptedEngine.logits

    def counting(self: ScriptedEngine, images: Any) -> Any:
        sizes.append(len(images))
        return logits(self, images)

    monkeypatch.setattr(ScriptedEngine, "logits", counting)
    return sizes


@pytest.mark.parametrize(
    ("found", "logit"),
    [
        ([], None),
        ([copy()], KnownLogit(2.0, 64)),
        ([copy(state="duplicate")], KnownLogit(2.0, 64)),
        ([copy(state="undone")], None),
        ([copy(state="retry")], None),
        ([copy(model_id=2)], None),
        ([copy(state="failed", logit=None), copy(logit=KnownLogit(3.0))], KnownLogit(3.0)),
    ],
)
def test_a_logit_is_reused_from_the_same_model_and_a_sorted_copy(
    found: list[DuplicateRow], logit: KnownLogit | None
) -> None:
    assert cached_logit(found, 1) == logit


def test_the_newest_label_by_a_person_is_reused_for_every_model_and_state() -> None:
    older, newer = Review(1, 7, "food", NOW), Review(2, 3, "non_food", NOW)
    assert latest_review([copy(), copy(review=older, model_id=2), copy(review=newer, state="undone")]) == newer
    assert latest_review([copy()]) is None


def test_an_exact_copy_is_filed_without_the_network(
    root: Path, photo: Photo, foodsort: Foodsort, batch_sizes: list[int]
) -> None:
    run(root, foodsort, a=photo())
    run(root, foodsort, b=photo(), c=photo("non_food"))
    assert batch_sizes == [1, 1]
    assert set(tree(root)) == {"food/a.jpg", "food/b.jpg", "non_food/c.jpg"}
    a, b = (next(row for row in rows(root) if row["name"] == name) for name in ("a.jpg", "b.jpg"))
    assert (a["probability"], a["label"], a["model"]) == (b["probability"], b["label"], b["model"])
    assert a["id"] != b["id"]
    assert {row["duplicate_of"] for row in rows(root)} == {None}


def test_another_model_classifies_a_copy_again(
    root: Path, photo: Photo, foodsort: Foodsort, batch_sizes: list[int]
) -> None:
    run(root, foodsort, a=photo())
    with connect(root) as connection:
        connection.execute(sa.text("UPDATE models SET sha256 = 'an older one'"))
    run(root, foodsort, b=photo())
    assert batch_sizes == [1, 1]


def test_a_copy_inherits_the_label_by_a_person(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    run(root, foodsort, a=photo("food"))
    label_by_a_person(root, 1, "non_food")
    run(root, foodsort, b=photo("food"))
    assert set(tree(root)) == {"food/a.jpg", "non_food/b.jpg"}
    b = rows(root)[1]
    assert (b["label"], b["predicted_label"], b["corrected_label"]) == ("non_food", "food", "non_food")
    assert select(root, "SELECT photo_id, label, reviewed_at FROM reviews ORDER BY id") == [
        {"photo_id": 1, "label": "non_food", "reviewed_at": NOW},
        {"photo_id": 2, "label": "non_food", "reviewed_at": NOW},
    ]


def test_skip_moves_exact_copies_to_the_duplicates(
    root: Path, photo: Photo, foodsort: Foodsort, batch_sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__DUPLICATES", "skip")
    run(root, foodsort, a=photo())
    assert not (root / "duplicates").exists()
    (root / "inbox/trip").mkdir()
    last = run(root, foodsort, **{"trip/b": photo(), "c": photo("non_food"), "d": photo("non_food")})
    assert last == "3 photos sorted: 0 food, 1 non_food, 2 duplicate, 0 failed; 0 had to stay in the inbox"
    assert len(tree(root)) == 4
    assert {"food/a.jpg", "duplicates/trip/b.jpg"} < set(tree(root))
    assert [path.name for path in (root / "non_food").iterdir()] in (["c.jpg"], ["d.jpg"])
    by_name = {row["name"]: row for row in rows(root)}
    b = by_name["b.jpg"]
    assert (b["state"], b["label"], b["duplicate_of"]) == ("duplicate", "food", by_name["a.jpg"]["id"])
    run(root, foodsort, e=photo())
    assert rows(root)[-1]["duplicate_of"] == by_name["a.jpg"]["id"]


@pytest.mark.parametrize("at_a_time", ["1", "32"])
def test_a_dry_run_reports_duplicates(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, at_a_time: str
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__DUPLICATES", "skip")
    monkeypatch.setenv("FOODSORT_BATCH__MAX_SIZE", at_a_time)
    run(root, foodsort, a=photo())
    for name, label in {"b": "food", "c": "non_food", "d": "non_food"}.items():
        (root / f"inbox/{name}.jpg").write_bytes(photo(label))
    code, out, err = foodsort("run", "--root", root, "--dry-run")
    assert code == 0
    assert "1 non_food, 2 duplicate" in out
    assert "to=duplicates/b.jpg" in err


def test_a_copy_of_a_removed_photo_is_no_duplicate(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__DUPLICATES", "skip")
    run(root, foodsort, a=photo())
    (root / "food/a.jpg").unlink()
    run(root, foodsort, b=photo())
    assert set(tree(root)) == {"food/b.jpg"}
    assert [row["state"] for row in rows(root)] == ["missing", "filed"]  # a scan at the start has noticed


def test_a_lookup_returns_the_newest_64_copies(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    run(root, foodsort, a=photo())
    columns = ", ".join(column.name for column in schema.photos.columns if column.name != "id")
    digest = rows(root)[0]["sha256"]
    with connect(root) as connection:
        for _ in range(70):
            connection.execute(sa.text(f"INSERT INTO photos ({columns}) SELECT {columns} FROM photos WHERE id = 1"))
    with connect(root) as connection:
        found = Lookup(connection.engine).duplicates({digest, "unknown"})
    assert [one.original for one in found[digest]] == list(range(71, 7, -1))
    assert found["unknown"] == []


@pytest.mark.parametrize("duplicates", ["file", "skip"])
def test_recovery_keeps_the_destination_of_a_copy(
    root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, duplicates: str
) -> None:
    monkeypatch.setenv("FOODSORT_IMAGES__DUPLICATES", duplicates)
    run(root, foodsort, a=photo("food"))
    label_by_a_person(root, 1, "non_food")
    (root / "inbox/b.jpg").write_bytes(photo("food"))
    kill_run_at(root, "recorded")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    place, state = {"file": ("non_food/b.jpg", "filed"), "skip": ("duplicates/b.jpg", "duplicate")}[duplicates]
    assert set(tree(root)) == {"food/a.jpg", place}
    assert [(row["path"], row["state"]) for row in rows(root)] == [("food/a.jpg", "filed"), (place, state)]
