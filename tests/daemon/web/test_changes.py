import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.actions.context import ActionBusy
from daemon.actions.correct import NO_PERSON_LABEL
from daemon.actions.result import ActionResult
from daemon.database import addresses, connections
from daemon.inbox.claims import Claims
from daemon.inbox.lock import action_lock
from daemon.queries.explanations import WHY_NOT_DELETED, WHY_NOT_LABELLED, WHY_NOT_MOVED
from daemon.settings import load
from daemon.web.changes import SINCE, PhotoChanges
from models.errors import FoodsortError
from tests.daemon.actions.test_undo import drop, execute, kill_at, run_once, states
from tests.daemon.cli.test_run import rows
from tests.daemon.conftest import Foodsort, Photo, running, tree, until


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
def desk_of(root: Path, patience_s: float = 60) -> Iterator[PhotoChanges]:
    settings = load(root)
    engine = connections.connect_to_write(addresses.database_url(root, settings.database.url))
    try:
        yield PhotoChanges(root, settings, engine, patience_s)
    finally:
        engine.dispose()


@pytest.fixture
def desk(root: Path) -> Iterator[PhotoChanges]:
    with desk_of(root) as desk:
        yield desk


def said(backs: list[ActionResult]) -> list[tuple[int, str]]:
    return [(back.photo.id, back.problem or back.place.decode()) for back in backs]


def test_labels_are_given_and_taken_back(root: Path, desk: PhotoChanges) -> None:
    assert said(desk.label([3, 1, 99, 2], "non_food")[0]) == [
        (3, WHY_NOT_LABELLED["failed"]),
        (1, "non_food/soup.jpg"),
        (2, "non_food/sea.jpg"),
    ]
    assert [row["corrected_label"] for row in rows(root)] == ["non_food", "non_food", None, None]
    assert said(desk.withdraw([1, 2])[0]) == [(1, "food/soup.jpg"), (2, "non_food/sea.jpg")]
    assert said(desk.withdraw([1])[0]) == [(1, NO_PERSON_LABEL)]
    assert [row["corrected_label"] for row in rows(root)] == [None] * 4
    assert (root / "food/soup.jpg").exists()


def test_what_a_person_called_so_already_gets_no_second_label(root: Path, desk: PhotoChanges) -> None:
    _, first = desk.label([1], "food")  # as the model did; now a person has said it
    backs, second = desk.label([1, 2], "food")
    assert said(backs) == [(1, "food/soup.jpg"), (2, "food/sea.jpg")]
    assert (list(first), list(second)) == ([1], [2])
    assert of(root, 1) == ["A person labelled it food."]


def test_a_label_that_is_not_the_newest_any_more_stays(root: Path, desk: PhotoChanges) -> None:
    _, mine = desk.label([1, 2], "non_food")
    _, others = desk.label([1], "food")
    backs, taken = desk.withdraw([1, 2], [mine[1], mine[2]])
    assert said(backs) == [(1, SINCE), (2, "non_food/sea.jpg")]
    assert taken == {2: mine[2]}
    assert (root / "food/soup.jpg").exists()
    assert said(desk.withdraw([1], [others[1]])[0]) == [(1, "non_food/soup.jpg")]
    assert said(desk.withdraw([2], [mine[2]])[0]) == [(2, NO_PERSON_LABEL)]


def test_failed_photos_are_retried(root: Path, desk: PhotoChanges) -> None:
    assert said(desk.retry([4, 1])) == [(4, "inbox/b.pdf"), (1, WHY_NOT_MOVED["filed"])]
    assert said(desk.retry(None)) == [(3, "inbox/a.pdf")]
    assert {name for name in tree(root) if name.endswith(".pdf")} == {"inbox/a.pdf", "inbox/b.pdf"}


def test_failed_photos_are_deleted(root: Path, desk: PhotoChanges) -> None:
    assert said(desk.delete([3, 2])) == [(3, "failed/a.pdf"), (2, WHY_NOT_DELETED["filed"])]
    assert said(desk.delete([3])) == [(3, WHY_NOT_DELETED["deleted"])]
    assert states(root)["failed/a.pdf"] == "deleted"
    assert "failed/a.pdf" not in tree(root)
    assert "failed/b.pdf" in tree(root)


def test_beside_a_daemon_that_runs(root: Path, desk: PhotoChanges) -> None:
    with running(root) as daemon:
        assert said(desk.label([1], "non_food")[0]) == [(1, "non_food/soup.jpg")]
        assert said(desk.retry([3])) == [(3, "inbox/a.pdf")]
        until(lambda: rows(root)[2]["attempts"] == 2 and rows(root)[2]["state"] == "failed", daemon)


def test_what_a_call_that_died_had_begun_is_ended_first(root: Path, desk: PhotoChanges) -> None:
    kill_at("deleting", "delete", "--root", root, "--yes", "failed/a.pdf")
    kill_at("correcting", "correct", "--root", root, "food", "--label", "non_food")
    desk.withdraw([2])
    assert states(root) == {
        "non_food/soup.jpg": "filed",
        "non_food/sea.jpg": "filed",
        "failed/a.pdf": "deleted",
        "failed/b.pdf": "failed",
    }


@contextmanager
def others_turn(root: Path) -> Iterator[None]:
    claims = Claims(root / "inbox")
    try:
        with action_lock(claims.inbox_fd, root / "inbox", timeout_s=0) as ours:
            assert ours
            yield
    finally:
        claims.close()


def test_a_turn_that_others_keep_is_told_and_not_waited_for(root: Path) -> None:
    before = tree(root)
    with desk_of(root, patience_s=0) as desk, others_turn(root):
        with pytest.raises(ActionBusy, match="another call of foodsort is moving photos"):
            desk.label([1, 3], "non_food")
        with pytest.raises(ActionBusy):
            desk.retry(None)
    assert tree(root) == before
    with desk_of(root, patience_s=0) as desk:
        assert said(desk.label([1], "non_food")[0]) == [(1, "non_food/soup.jpg")]


def test_a_turn_that_others_end_is_waited_for(root: Path, desk: PhotoChanges) -> None:
    answers: list[list[tuple[int, str]]] = []
    with others_turn(root):
        thread = threading.Thread(target=lambda: answers.append(said(desk.label([1], "non_food")[0])))
        thread.start()
        until(lambda: open_files().count(str(root / "inbox")) == 2)  # by the others, and by the desk
        assert answers == []
    thread.join(60)
    assert answers == [[(1, "non_food/soup.jpg")]]


def open_files() -> list[str]:
    return [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{fd}")
    ]


def test_threads_take_turns_and_each_change_is_whole(root: Path, desk: PhotoChanges, photo: Photo) -> None:
    threads = [
        threading.Thread(target=desk.label, args=([1, 2], "food" if number % 2 else "non_food")) for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    places = {row["path"] for row in rows(root)[:2]}
    assert places in ({"food/soup.jpg", "food/sea.jpg"}, {"non_food/soup.jpg", "non_food/sea.jpg"})
    assert {name for name in tree(root) if name.endswith(".jpg")} == places
    first, second = of(root, 1), of(root, 2)
    assert first == second
    assert all(one != following for one, following in pairwise(first))  # what is called so already gets no second label


def of(root: Path, photo_id: int) -> list[str]:
    with desk_of(root) as desk:
        return [step.said for step in desk.history(photo_id) if step.said.startswith("A person")]


def test_an_inbox_that_is_gone_is_told_in_words(root: Path, desk: PhotoChanges) -> None:
    (root / "inbox").rename(root / "away")
    with pytest.raises(FoodsortError, match=r"the inbox .*/inbox cannot be used: No such file or directory"):
        desk.retry(None)


def test_the_history_of_a_sorted_photo(root: Path, desk: PhotoChanges, foodsort: Foodsort) -> None:
    execute(
        root,
        "UPDATE photos SET taken_at = '2026-07-01T12:00:00', taken_offset = '+02:00', camera = 'Canon EOS R5' WHERE id = 1",
    )
    desk.label([1], "non_food")
    soup = rows(root)[0]
    history = desk.history(1)
    assert [step.said for step in history] == [
        "It was taken with a Canon EOS R5.",
        "It was taken out of the inbox, where it was soup.jpg.",
        f"The model {soup['model']} called it food: its probability of food is {soup['probability']:.3f} (batch 1, scripted).",
        "A person labelled it non_food.",
        "It was moved to non_food/soup.jpg.",
    ]
    assert [step.at for step in history] == [
        "2026-07-01T12:00:00+02:00",
        *(soup[name] for name in ("claimed_at", "classified_at", "reviewed_at", "filed_at")),
    ]
    assert desk.history(99) == []
    assert foodsort("undo", "--root", root, "non_food/soup.jpg")[0] == 0
    assert desk.history(1)[-1] == ("", "It was moved back to the inbox, to stay there.")


def test_the_history_of_a_failed_photo(root: Path, desk: PhotoChanges, foodsort: Foodsort) -> None:
    bill = rows(root)[2]
    history = desk.history(3)
    why = f"({bill['error_kind']}): {bill['error_message'].rstrip('.')}."
    assert [step.said for step in history] == [
        "It was taken out of the inbox, where it was a.pdf.",
        f"It failed {why}",
        "It was set aside at failed/a.pdf.",
    ]
    desk.retry([3])
    run_once(root, foodsort)
    assert [step.said for step in desk.history(3)][:2] == [
        f"It failed for the first time {why}",
        "It was taken out of the inbox, for try 2, where it was a.pdf.",
    ]
    desk.delete([3])
    assert desk.history(3)[-1].said == "It was set aside at failed/a.pdf, and a person deleted it."


def test_the_history_of_copies(root: Path, desk: PhotoChanges, photo: Photo, foodsort: Foodsort) -> None:
    desk.label([1], "non_food")
    drop(root, "again.jpg", photo())
    run_once(root, foodsort)
    said = [step.said for step in desk.history(5)]
    assert said[0] == "A person labelled an exact copy of it non_food."
    assert said[-1] == "It was moved to non_food/again.jpg."
    (root / "foodsort.toml").write_text('[images]\nduplicates = "skip"\n')
    drop(root, "third.jpg", photo())
    run_once(root, foodsort)
    said = [step.said for step in desk.history(6)]
    assert "It is an exact copy of photo 5, non_food/again.jpg." in said
    assert said[-1] == "It was set aside at duplicates/third.jpg."


def test_events_about_a_file_of_its_name_are_told(root: Path, desk: PhotoChanges) -> None:
    execute(
        root,
        "INSERT INTO events (id, at, kind, path, message) VALUES (77, '2020-01-01', 'refused', 'soup.jpg', 'no right')",
    )
    execute(
        root, "INSERT INTO events (id, at, kind, path, message) VALUES (78, '2020-01-01', 'refused', 'sea.jpg', 'else')"
    )
    assert desk.history(1)[0] == ("2020-01-01", "Of a file of its name in the inbox was said: no right.")
    assert len(desk.history(1)) == 4
