import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.actions.context import ActionBusy
from daemon.actions.correct import NO_PERSON_LABEL
from daemon.actions.labels import withdrawals
from daemon.database import addresses, connections
from daemon.database.schema import reviews
from daemon.inbox.claims import Claims
from daemon.inbox.lock import action_lock
from daemon.queries.explanations import WHY_NOT_DELETED, WHY_NOT_LABELLED, WHY_NOT_MOVED
from daemon.queries.selection import PhotoSelection
from daemon.settings import load
from daemon.web.changes import SINCE, Changed, PhotoChanges
from models.errors import FoodsortError
from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.photos import drop, run_once
from tests.daemon.processes import kill_at
from tests.daemon.rows import connect, execute, row, rows, select, states
from tests.daemon.second_model import doubtful, write_model

pytestmark = pytest.mark.slow


@pytest.fixture
def root(root: Path, each_database: None, photo: Photo, foodsort: Foodsort) -> Path:
    """A root, with a database of each kind, with photos 1 (food), 2 (non_food), 3 and 4 (failed)."""
    for name, data in (
        ("soup.jpg", photo()),
        ("sea.jpg", photo("non_food")),
        ("a.pdf", b"%PDF-a"),
        ("b.pdf", b"%PDF-b"),
    ):
        drop(root, name, data)
        run_once(root, foodsort)
    assert [row["name"] for row in rows(root)] == ["soup.jpg", "sea.jpg", "a.pdf", "b.pdf"]
    return root


@contextmanager
def open_changes(root: Path, patience_s: float = 60) -> Iterator[PhotoChanges]:
    settings = load(root)
    engine = connections.connect_to_write(addresses.database_url(root, settings.database.url))
    try:
        yield PhotoChanges(root, settings, engine, patience_s)
    finally:
        engine.dispose()


@pytest.fixture
def changes(root: Path) -> Iterator[PhotoChanges]:
    with open_changes(root) as changes:
        yield changes


def outcomes(changed: Changed) -> list[tuple[int, str]]:
    """Each photo's id with its problem, or else its new path."""
    return [(result.photo.id, result.problem or result.place.decode()) for result in changed.results]


def test_labels_are_given_and_withdrawn(root: Path, changes: PhotoChanges) -> None:
    assert outcomes(changes.label([3, 1, 99, 2], "non_food")) == [
        (3, WHY_NOT_LABELLED["failed"]),
        (1, "non_food/soup.jpg"),
        (2, "non_food/sea.jpg"),
    ]
    assert [row["corrected_label"] for row in rows(root)] == ["non_food", "non_food", None, None]
    assert outcomes(changes.withdraw([1, 2])) == [(1, "food/soup.jpg"), (2, "non_food/sea.jpg")]
    assert outcomes(changes.withdraw([1])) == [(1, NO_PERSON_LABEL)]
    assert [row["corrected_label"] for row in rows(root)] == [None] * 4
    assert (root / "food/soup.jpg").exists()


def test_a_photo_with_a_persons_label_gets_no_second_equal_one(root: Path, changes: PhotoChanges) -> None:
    first = changes.label([1], "food")  # the model's label, now also a person's
    second = changes.label([1, 2], "food")
    assert outcomes(second) == [(1, "food/soup.jpg"), (2, "food/sea.jpg")]
    assert (list(first.labels), list(second.labels)) == ([1], [2])
    assert label_steps(root, 1) == ["A person labelled it food."]


def test_a_label_that_is_no_longer_the_newest_stays(root: Path, changes: PhotoChanges) -> None:
    mine = changes.label([1, 2], "non_food").labels
    newer = changes.label([1], "food").labels
    withdrawn = changes.withdraw([1, 2], [mine[1], mine[2]])
    assert outcomes(withdrawn) == [(1, SINCE), (2, "non_food/sea.jpg")]
    assert withdrawn.labels == {2: mine[2]}
    assert (root / "food/soup.jpg").exists()
    assert outcomes(changes.withdraw([1], [newer[1]])) == [(1, "non_food/soup.jpg")]
    assert outcomes(changes.withdraw([2], [mine[2]])) == [(2, NO_PERSON_LABEL)]


def test_an_answer_about_a_reserved_photo_is_for_the_audit(root: Path, changes: PhotoChanges) -> None:
    execute(root, f"UPDATE photos SET sha256 = '0{63 * 'a'}' WHERE id = 1")
    changes.label([1], "food")  # before, with the model's label in view
    first = changes.answer(1, "food")
    assert outcomes(first) == [(1, "food/soup.jpg")]
    again = changes.answer(1, "food")
    assert (list(first.labels), again.labels) == ([1], {})
    assert sources(root, 1) == [("food", "person"), ("food", "audit")]
    assert outcomes(changes.answer(1, "non_food")) == [(1, "non_food/soup.jpg")]
    assert sources(root, 1)[2:] == [("non_food", "audit")]
    assert outcomes(changes.answer(3, "food")) == [(3, WHY_NOT_LABELLED["failed"])]


def test_an_answer_about_another_photo_is_a_persons_label(root: Path, changes: PhotoChanges) -> None:
    execute(root, f"UPDATE photos SET sha256 = '3{63 * 'a'}' WHERE id = 1")
    first = changes.answer(1, "food")
    assert changes.answer(1, "food").labels == {}
    asked_again = changes.answer(1, "food", earlier=first.labels[1])
    assert list(asked_again.labels) == [1]
    assert changes.answer(1, "food", earlier=first.labels[1]).labels == {}
    assert sources(root, 1) == [("food", "person"), ("food", "person")]


def test_a_withdrawal_that_is_reverted_keeps_the_source(root: Path, changes: PhotoChanges) -> None:
    execute(root, f"UPDATE photos SET sha256 = '0{63 * 'a'}' WHERE id = 1")
    changes.answer(1, "non_food")
    with connect(root) as connection:
        photo = PhotoSelection(connection.engine, root, ("filed",)).by_ids([1])
        (withdrawal,) = withdrawals(connection.engine, photo).values()
        (revert,) = withdrawal.write(connection)
        assert connection.scalar(sa.select(sa.func.count()).select_from(reviews)) == 0
        connection.execute(revert)
    assert sources(root, 1) == [("non_food", "audit")]


def sources(root: Path, photo_id: int) -> list[tuple[str, str]]:
    query = f"SELECT label, source FROM reviews WHERE photo_id = {photo_id} ORDER BY id"
    return [(review["label"], review["source"]) for review in select(root, query)]


def test_failed_photos_are_retried(root: Path, changes: PhotoChanges) -> None:
    assert outcomes(changes.retry([4, 1])) == [(4, "inbox/b.pdf"), (1, WHY_NOT_MOVED["filed"])]
    assert outcomes(changes.retry(None)) == [(3, "inbox/a.pdf")]
    assert {name for name in tree(root) if name.endswith(".pdf")} == {"inbox/a.pdf", "inbox/b.pdf"}


def test_failed_photos_are_deleted(root: Path, changes: PhotoChanges) -> None:
    assert outcomes(changes.delete([3, 2])) == [(3, "failed/a.pdf"), (2, WHY_NOT_DELETED["filed"])]
    assert outcomes(changes.delete([3])) == [(3, WHY_NOT_DELETED["deleted"])]
    assert states(root)["failed/a.pdf"] == "deleted"
    assert "failed/a.pdf" not in tree(root)
    assert "failed/b.pdf" in tree(root)


def test_changes_work_while_a_daemon_is_running(root: Path, changes: PhotoChanges) -> None:
    with running(root) as daemon:
        assert outcomes(changes.label([1], "non_food")) == [(1, "non_food/soup.jpg")]
        assert outcomes(changes.retry([3])) == [(3, "inbox/a.pdf")]
        until(lambda: rows(root)[2]["attempts"] == 2 and rows(root)[2]["state"] == "failed", daemon)


def test_a_killed_action_is_completed_first(root: Path, changes: PhotoChanges) -> None:
    kill_at("begun", "delete", "--root", root, "--yes", "failed/a.pdf")
    kill_at("begun", "correct", "--root", root, "food", "--label", "non_food")
    changes.withdraw([2])
    assert states(root) == {
        "non_food/soup.jpg": "filed",
        "non_food/sea.jpg": "filed",
        "failed/a.pdf": "deleted",
        "failed/b.pdf": "failed",
    }


@contextmanager
def locked_by_another(root: Path) -> Iterator[None]:
    claims = Claims(root / "inbox")
    try:
        with action_lock(claims.inbox_fd, root / "inbox", timeout_s=0) as acquired:
            assert acquired
            yield
    finally:
        claims.close()


def test_a_lock_held_too_long_is_an_error(root: Path) -> None:
    before = tree(root)
    with open_changes(root, patience_s=0) as changes, locked_by_another(root):
        with pytest.raises(ActionBusy, match="another call of foodsort is moving photos"):
            changes.label([1, 3], "non_food")
        with pytest.raises(ActionBusy):
            changes.retry(None)
    assert tree(root) == before
    with open_changes(root, patience_s=0) as changes:
        assert outcomes(changes.label([1], "non_food")) == [(1, "non_food/soup.jpg")]


def test_a_change_waits_for_a_lock(root: Path, changes: PhotoChanges) -> None:
    results: list[list[tuple[int, str]]] = []
    with locked_by_another(root):
        thread = threading.Thread(target=lambda: results.append(outcomes(changes.label([1], "non_food"))))
        thread.start()
        until(lambda: open_files().count(str(root / "inbox")) == 2)  # by the other process, and by this one
        assert results == []
    thread.join(60)
    assert results == [[(1, "non_food/soup.jpg")]]


def open_files() -> list[str]:
    return [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{fd}")
    ]


def test_changes_of_several_threads_are_atomic(root: Path, changes: PhotoChanges, photo: Photo) -> None:
    threads = [
        threading.Thread(target=changes.label, args=([1, 2], "food" if number % 2 else "non_food"))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    places = {row["path"] for row in rows(root)[:2]}
    assert places in ({"food/soup.jpg", "food/sea.jpg"}, {"non_food/soup.jpg", "non_food/sea.jpg"})
    assert {name for name in tree(root) if name.endswith(".jpg")} == places
    first, second = label_steps(root, 1), label_steps(root, 2)
    assert first == second
    assert all(one != following for one, following in pairwise(first))  # no second equal label


def label_steps(root: Path, photo_id: int) -> list[str]:
    with open_changes(root) as changes:
        return [step.sentence for step in changes.history(photo_id) if step.sentence.startswith("A person")]


def test_a_missing_inbox_has_a_message(root: Path, changes: PhotoChanges) -> None:
    (root / "inbox").rename(root / "away")
    with pytest.raises(FoodsortError, match=r"the inbox .*/inbox cannot be used: No such file or directory"):
        changes.retry(None)


def test_a_sorted_photo_has_a_history(root: Path, changes: PhotoChanges, foodsort: Foodsort) -> None:
    execute(
        root,
        "UPDATE photos SET taken_at = '2026-07-01T12:00:00', taken_offset = '+02:00', camera = 'Canon EOS R5'"
        " WHERE id = 1",
    )
    changes.label([1], "non_food")
    soup = rows(root)[0]
    history = changes.history(1)
    assert [step.sentence for step in history] == [
        "It was taken with a Canon EOS R5.",
        "It was taken out of the inbox, where it was soup.jpg.",
        f"The model {soup['model']} labelled it food, with a probability of food of {soup['probability']:.3f}"
        " (batch 1, scripted, 128 px).",
        "A person labelled it non_food.",
        "It was moved to non_food/soup.jpg.",
    ]
    assert [step.at for step in history] == [
        "2026-07-01T12:00:00+02:00",
        *(soup[name] for name in ("claimed_at", "classified_at", "reviewed_at", "filed_at")),
    ]
    assert changes.history(99) == []
    assert foodsort("undo", "--root", root, "non_food/soup.jpg")[0] == 0
    assert changes.history(1)[-1] == ("", "It was moved back to the inbox, to stay there.")


def test_a_reclassified_photo_has_a_history(
    root: Path, changes: PhotoChanges, foodsort: Foodsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(root, "bread.jpg", doubtful())
    run_once(root, foodsort)
    before = row(root, "bread.jpg")
    second = write_model(tmp_path / "second", "second")
    monkeypatch.setenv("FOODSORT_MODEL__BUNDLE", str(second.folder))
    assert foodsort("reclassify", "--root", root)[0] == 0
    after = row(root, "bread.jpg")
    history = changes.history(after["id"])
    p_food = f"with a probability of food of {before['probability']:.3f}"
    assert [step.sentence for step in history] == [
        "It was taken out of the inbox, where it was bread.jpg.",
        f"The model {before['model']} labelled it food, {p_food} (batch {before['batch_id']}, scripted, 224 px).",
        f"It was reclassified as non_food by the model {second.model_name}, {p_food} (batch {after['batch_id']},"
        " scripted, 224 px).",
        "It was moved to non_food/bread.jpg.",
    ]
    assert [step.at for step in history] == [
        *(before[name] for name in ("claimed_at", "classified_at")),
        *(after[name] for name in ("classified_at", "filed_at")),
    ]
    assert foodsort("undo", "--root", root, "--last")[0] == 0
    assert [step.sentence for step in changes.history(after["id"])][1:] == [
        history[1].sentence,
        "It was moved to food/bread.jpg.",
    ]


def test_a_failed_photo_has_a_history(root: Path, changes: PhotoChanges, foodsort: Foodsort) -> None:
    bill = rows(root)[2]
    history = changes.history(3)
    why = f"({bill['error_kind']}): {bill['error_message'].rstrip('.')}."
    assert [step.sentence for step in history] == [
        "It was taken out of the inbox, where it was a.pdf.",
        f"It failed {why}",
        "It was set aside at failed/a.pdf.",
    ]
    changes.retry([3])
    run_once(root, foodsort)
    assert [step.sentence for step in changes.history(3)][:2] == [
        f"It failed for the first time {why}",
        "It was taken out of the inbox, for attempt 2, where it was a.pdf.",
    ]
    changes.delete([3])
    assert changes.history(3)[-1].sentence == "It was set aside at failed/a.pdf, and a person deleted it."


def test_copies_have_a_history(root: Path, changes: PhotoChanges, photo: Photo, foodsort: Foodsort) -> None:
    changes.label([1], "non_food")
    drop(root, "again.jpg", photo())
    run_once(root, foodsort)
    sentences = [step.sentence for step in changes.history(5)]
    assert sentences[0] == "A person labelled an exact copy of it non_food."
    assert sentences[-1] == "It was moved to non_food/again.jpg."
    (root / "foodsort.toml").write_text('[images]\nduplicates = "skip"\n')
    drop(root, "third.jpg", photo())
    run_once(root, foodsort)
    sentences = [step.sentence for step in changes.history(6)]
    assert "It is an exact copy of photo 5, non_food/again.jpg." in sentences
    assert sentences[-1] == "It was set aside at duplicates/third.jpg."


def test_events_for_a_file_of_its_name_are_in_the_history(root: Path, changes: PhotoChanges) -> None:
    execute(
        root,
        "INSERT INTO events (id, at, kind, path, message) VALUES (77, '2020-01-01', 'refused', 'soup.jpg', 'no right')",
    )
    execute(
        root, "INSERT INTO events (id, at, kind, path, message) VALUES (78, '2020-01-01', 'refused', 'sea.jpg', 'else')"
    )
    assert changes.history(1)[0] == ("2020-01-01", "Event for a file of this name in the inbox: no right.")
    assert len(changes.history(1)) == 4
