"""`foodsort reclassify` and its undo, with real files and a second model, with a running daemon and without."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.actions import label_moves
from daemon.failpoints import VARIABLE
from daemon.pipeline.judge import SortedPhotoReader
from daemon.queries.judgements import SortedPhoto
from models.bundle import Bundle
from models.engines.scripted import ScriptedEngine
from tests.daemon.conftest import Foodsort, Photo, running, tree, until
from tests.daemon.learned_models import add_model
from tests.daemon.photos import drop, photos, run_once
from tests.daemon.processes import COMMAND, kill_at, start_command
from tests.daemon.rows import execute, labels, row, rows, select, states
from tests.daemon.second_model import AT_A_LOSS, doubtful, write_model
from tests.programs.audit import Audit

pytestmark = pytest.mark.slow

MODEL = "FOODSORT_MODEL__BUNDLE"
PREDICTION = (
    "label",
    "predicted_label",
    "probability",
    "logit",
    "look",
    "model",
    "batch_id",
    "classified_at",
    "engine",
)


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """A second model, for which doubtful photos of food are no food."""
    return write_model(tmp_path / "strict").folder


@pytest.fixture
def doubted(root: Path, strict: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with two doubtful photos among four, sorted by the shipped model; the second model is in use."""
    drop(root, "trip/soup.jpg", doubtful(1))
    drop(root, "bread.jpg", doubtful(2))
    drop(root, "pie.jpg", photo("food"))
    drop(root, "sea.jpg", photo("non_food"))
    run_once(root, foodsort)
    make_one_batch(root)
    monkeypatch.setenv(MODEL, str(strict))
    return root


def make_one_batch(root: Path) -> None:
    """Makes the photos one batch, so that the next one has the id 2; on a busy machine the daemon makes several."""
    execute(root, "UPDATE photos SET batch_id = 1")
    execute(root, "UPDATE batches SET photos = (SELECT count(*) FROM photos)")
    execute(root, "DELETE FROM batches WHERE id > 1")
    if "postgresql" in os.environ.get("FOODSORT_DATABASE__URL", ""):
        execute(root, "ALTER SEQUENCE batches_id_seq RESTART WITH 2")


BEFORE = {"food/trip/soup.jpg", "food/bread.jpg", "food/pie.jpg", "non_food/sea.jpg"}
AFTER = {"non_food/trip/soup.jpg", "non_food/bread.jpg", "food/pie.jpg", "non_food/sea.jpg"}


def reclassify(foodsort: Foodsort, root: Path, *words: str) -> dict[str, Any]:
    code, out, err = foodsort("reclassify", "--root", root, "--format", "json", *words)
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def predictions(root: Path) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("id", "path", "state", *PREDICTION)} for row in rows(root)]


def problems(root: Path, data: list[bytes]) -> list[str]:
    return Audit(root, (root / "food", root / "non_food", root / "failed")).problems(data)


def of_doubted(photo: Photo) -> list[bytes]:
    return [doubtful(1), doubtful(2), photo("food"), photo("non_food")]


@pytest.mark.usefixtures("each_database")
def test_photos_get_the_new_models_predictions_and_move_as_one_batch(doubted: Path, foodsort: Foodsort) -> None:
    before = predictions(doubted)
    assert reclassify(foodsort, doubted) == {"judged": 4, "changed": 2, "moved": 2, "batch": 2}
    assert set(photos(doubted)) == AFTER
    assert {row["path"]: row["label"] for row in rows(doubted)} == {path: path.partition("/")[0] for path in AFTER}
    assert {(row["state"], row["batch_id"], row["model"].partition("@")[0]) for row in rows(doubted)} == {
        ("filed", 2, "strict")
    }
    (batch,) = select(doubted, "SELECT kind, photos, engine FROM batches WHERE id = 2")
    assert batch == {"kind": "reclassify", "photos": 4, "engine": "scripted"}
    code, out, err = foodsort("undo", "--root", doubted, "--batch", "2")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "4 photos are as before batch 2 of `foodsort reclassify`"
    assert set(photos(doubted)) == BEFORE
    assert predictions(doubted) == before
    assert select(doubted, "SELECT * FROM reclassifications") == []
    assert select(doubted, "SELECT id FROM batches WHERE kind = 'reclassify'") == [{"id": 2}]


def test_a_second_call_finds_nothing_to_do(doubted: Path, foodsort: Foodsort) -> None:
    reclassify(foodsort, doubted)
    before = predictions(doubted)
    near = sum(0.05 <= row["probability"] <= 0.95 for row in before)
    assert near == 2
    assert reclassify(foodsort, doubted) == {"judged": near, "changed": 0, "moved": 0, "batch": None}
    assert reclassify(foodsort, doubted, "--all") == {"judged": 4, "changed": 0, "moved": 0, "batch": None}
    assert predictions(doubted) == before


def test_a_dry_run_keeps_its_judgements_and_moves_nothing(doubted: Path, foodsort: Foodsort) -> None:
    before = predictions(doubted)
    code, out, err = foodsort("reclassify", "--root", doubted, "--dry-run")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["before", "after", "P(food)", "path"]
    assert sorted((line[0], line[1], line[3]) for line in lines[1:-1]) == [
        ("food", "non_food", "food/bread.jpg"),
        ("food", "non_food", "food/trip/soup.jpg"),
    ]
    assert out.splitlines()[-1].endswith(": 2 would get another label")
    assert (predictions(doubted), set(photos(doubted))) == (before, BEFORE)
    assert select(doubted, "SELECT count(*) AS n FROM judgements") == [{"n": 4}]
    for name in BEFORE:  # they are not read again: a decoder would fail on these
        (doubted / name).chmod(0)
    try:
        assert reclassify(foodsort, doubted, "--dry-run")["judged"] == 4
    finally:
        for name in BEFORE:
            (doubted / name).chmod(0o600)
    assert reclassify(foodsort, doubted)["moved"] == 2


def test_undo_of_the_newest_batch_takes_it_back_and_then_undoes_the_sorting(doubted: Path, foodsort: Foodsort) -> None:
    reclassify(foodsort, doubted)
    code, out, _ = foodsort("undo", "--root", doubted, "--last", "--dry-run")
    assert code == 0
    assert sorted(out.splitlines()) == [
        "4 photos would be as before batch 2 of `foodsort reclassify`",
        "food/pie.jpg",
        "non_food/bread.jpg → food/bread.jpg",
        "non_food/sea.jpg",
        "non_food/trip/soup.jpg → food/trip/soup.jpg",
    ]
    assert set(photos(doubted)) == AFTER
    assert foodsort("undo", "--root", doubted, "--last")[0] == 0
    assert set(photos(doubted)) == BEFORE
    assert foodsort("undo", "--root", doubted, "--last")[0] == 0
    assert all(path.startswith("inbox/") for path in photos(doubted))


def test_undo_by_path_means_the_inbox(doubted: Path, foodsort: Foodsort) -> None:
    reclassify(foodsort, doubted)
    assert foodsort("undo", "--root", doubted, "non_food/bread.jpg")[0] == 0
    assert states(doubted)["inbox/bread.jpg"] == "undone"
    code, out, err = foodsort("undo", "--root", doubted, "--batch", "2")
    assert code == 1
    assert err.startswith("foodsort: inbox/bread.jpg is in the inbox; ")
    assert out.splitlines()[-1].startswith("3 photos are as before")
    assert states(doubted)["inbox/bread.jpg"] == "undone"


@pytest.mark.usefixtures("each_database")
def test_photos_that_people_labelled_are_never_touched(doubted: Path, foodsort: Foodsort) -> None:
    assert foodsort("correct", "--root", doubted, "food/bread.jpg", "--label", "food")[0] == 0
    before = row(doubted, "bread.jpg")
    assert reclassify(foodsort, doubted, "--all") == {"judged": 3, "changed": 1, "moved": 1, "batch": 2}
    assert row(doubted, "bread.jpg") == before
    assert foodsort("correct", "--root", doubted, "non_food/trip/soup.jpg", "--label", "food")[0] == 0
    before = row(doubted, "soup.jpg")
    code, _, err = foodsort("undo", "--root", doubted, "--batch", "2")
    assert (code, err) == (1, "foodsort: food/trip/soup.jpg was labelled by a person since, and keeps that label\n")
    assert row(doubted, "soup.jpg") == before
    assert labels(doubted) == ["food", "food"]
    # What is left of the batch is labelled, so the newest batch is that of the daemon.
    assert foodsort("undo", "--root", doubted, "--last", "--dry-run")[1].endswith("`foodsort retry PATH`\n")


def test_a_photo_that_is_labelled_between_judging_and_moving_keeps_its_label(
    doubted: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = label_moves.LabelMoves._plan

    def label_meanwhile(*arguments: Any, **options: Any) -> Any:
        planned = plan(*arguments, **options)
        execute(
            doubted,
            "INSERT INTO reviews (photo_id, label, reviewed_at) SELECT id, 'food', '2026' FROM photos"
            " WHERE name = 'bread.jpg'",
        )
        return planned

    before = row(doubted, "bread.jpg")
    monkeypatch.setattr(label_moves.LabelMoves, "_plan", label_meanwhile)
    code, out, err = foodsort("reclassify", "--root", doubted, "--format", "json")
    assert (code, err) == (1, "foodsort: food/bread.jpg was labelled or sorted again meanwhile, so it stays\n")
    assert json.loads(out) == {"judged": 4, "changed": 2, "moved": 1, "batch": 2}
    after = row(doubted, "bread.jpg")
    assert {name: after[name] for name in ("path", "state", *PREDICTION)} == {
        name: before[name] for name in ("path", "state", *PREDICTION)
    }
    assert select(doubted, "SELECT photos FROM batches WHERE id = 2") == [{"photos": 3}]


def test_photos_that_other_commands_move_while_they_are_judged_are_no_problem(
    doubted: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = SortedPhotoReader.__call__
    moved: set[bytes] = set()

    def move_first(reader: SortedPhotoReader, photo: SortedPhoto) -> Any:
        if photo.path in {b"food/bread.jpg", b"food/trip/soup.jpg"} and photo.path not in moved:
            moved.add(photo.path)
            old = doubted / photo.path.decode()
            new = old.with_name("renamed.jpg")
            old.rename(new)
            execute(
                doubted,
                f"UPDATE photos SET name = 'renamed.jpg', path = '{new.relative_to(doubted)}',"
                f" path_bytes = CAST('{new.relative_to(doubted)}' AS BLOB) WHERE id = {photo.id}",
            )
            if photo.path == b"food/bread.jpg":
                execute(
                    doubted,
                    f"INSERT INTO reviews (photo_id, label, reviewed_at) VALUES ({photo.id}, 'food', '2026')",
                )
        return read(reader, photo)

    monkeypatch.setattr(SortedPhotoReader, "__call__", move_first)
    assert reclassify(foodsort, doubted) == {"judged": 3, "changed": 1, "moved": 1, "batch": 2}
    assert len(moved) == 2
    assert set(photos(doubted)) == {
        "food/renamed.jpg",
        "non_food/trip/renamed.jpg",
        "food/pie.jpg",
        "non_food/sea.jpg",
    }


def test_photos_that_are_missing_or_replaced_are_reported_and_left_alone(
    doubted: Path, photo: Photo, foodsort: Foodsort
) -> None:
    (doubted / "food/bread.jpg").unlink()
    (doubted / "food/trip/soup.jpg").write_bytes(doubtful(9))
    (doubted / "food/pie.jpg").unlink()
    (doubted / "food/pie.jpg").symlink_to("/dev/zero")
    before = predictions(doubted)
    code, out, err = foodsort("reclassify", "--root", doubted, "--format", "json")
    assert code == 1
    assert json.loads(out) == {"judged": 1, "changed": 0, "moved": 0, "batch": 2}
    assert sorted(err.splitlines()) == [
        "foodsort: food/bread.jpg is no longer there; `foodsort repair` looks for it",
        "foodsort: food/pie.jpg cannot be read: Too many levels of symbolic links",
        "foodsort: food/trip/soup.jpg was changed or replaced after it was sorted; `foodsort repair` records that",
    ]
    after = predictions(doubted)
    assert [row for row in after if row["path"] != "non_food/sea.jpg"] == [
        row for row in before if row["path"] != "non_food/sea.jpg"
    ]
    assert (doubted / "food/trip/soup.jpg").read_bytes() == doubtful(9)


def test_photos_that_are_moved_or_replaced_after_they_were_judged_are_left_alone(
    doubted: Path, foodsort: Foodsort
) -> None:
    reclassify(foodsort, doubted, "--dry-run")
    (doubted / "food/bread.jpg").rename(doubted / "food/renamed.jpg")
    (doubted / "food/trip/soup.jpg").write_bytes(doubtful(9))
    before = [row(doubted, name) for name in ("bread.jpg", "soup.jpg")]
    code, out, err = foodsort("reclassify", "--root", doubted, "--format", "json")
    assert (code, json.loads(out)["moved"]) == (1, 0)
    assert sorted(line.partition(";")[0] for line in err.splitlines()) == [
        "foodsort: food/bread.jpg is no longer there",
        "foodsort: food/trip/soup.jpg was changed after it was sorted",
    ]
    assert [row(doubted, name) for name in ("bread.jpg", "soup.jpg")] == before
    assert (doubted / "food/renamed.jpg").read_bytes() == doubtful(2)


def test_nothing_is_overwritten(doubted: Path, foodsort: Foodsort) -> None:
    (doubted / "non_food/bread.jpg").write_bytes(b"somebody's")
    assert reclassify(foodsort, doubted)["moved"] == 2
    assert (doubted / "non_food/bread.jpg").read_bytes() == b"somebody's"
    assert row(doubted, "bread (2).jpg")["path"] == "non_food/bread (2).jpg"
    (doubted / "food/bread (2).jpg").write_bytes(b"another one")
    assert foodsort("undo", "--root", doubted, "--last")[0] == 0
    assert (doubted / "food/bread (2).jpg").read_bytes() == b"another one"
    assert row(doubted, "bread (2) (2).jpg")["path"] == "food/bread (2) (2).jpg"


def test_companions_move_with_their_photo_and_back(
    root: Path, strict: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOODSORT_WATCH__COMPANION_S", "60")
    drop(root, "trip/IMG_1.MOV", b"\0\0\0\x14ftypqt  \0\0\0\0qt  a video")
    drop(root, "trip/IMG_1.JPG", doubtful())
    run_once(root, foodsort)
    monkeypatch.setenv(MODEL, str(strict))
    data = [path.read_bytes() for path in (root / "food/trip").iterdir()]
    assert reclassify(foodsort, root)["moved"] == 1
    assert sorted(path.name for path in (root / "non_food/trip").iterdir()) == ["IMG_1.JPG", "IMG_1.MOV"]
    assert problems(root, data) == []
    assert foodsort("undo", "--root", root, "--last")[0] == 0
    assert sorted(path.name for path in (root / "food/trip").iterdir()) == ["IMG_1.JPG", "IMG_1.MOV"]
    assert problems(root, data) == []


def test_photos_move_between_filesystems(
    root: Path, elsewhere: Path, strict: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "foodsort.toml").write_text(f'[folders]\nnon_food = "{elsewhere}/non_food"\n')
    drop(root, "a.jpg", doubtful())
    run_once(root, foodsort)
    monkeypatch.setenv(MODEL, str(strict))
    words = ("reclassify", "--root", root)
    for point in ("copied", "named"):
        kill_at(point, *words)
        assert reclassify(foodsort, root)["batch"] is not None
        assert [path.name for path in (elsewhere / "non_food").iterdir()] == ["a.jpg"]
        assert not (root / "food/a.jpg").exists()
        assert foodsort("undo", "--root", root, "--last")[0] == 0
        assert (root / "food/a.jpg").read_bytes() == doubtful()
        assert list((elsewhere / "non_food").iterdir()) == []


@pytest.mark.parametrize(("folder", "name"), [("food/trip", "food/trip/soup.jpg"), ("non_food", "food/bread.jpg")])
def test_a_photo_that_cannot_be_moved_keeps_its_prediction(
    doubted: Path, foodsort: Foodsort, folder: str, name: str
) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("as root this needs setpriv (util-linux)")
    bare = ["--bounding-set=-dac_override,-dac_read_search,-fowner"]
    before = row(doubted, Path(name).name)
    (doubted / "non_food/trip").mkdir()
    (doubted / folder).chmod(0o500)
    command = [*([setpriv, *bare] if setpriv else []), *COMMAND, "reclassify", "--root", str(doubted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (doubted / folder).chmod(0o700)
    assert (done.returncode, done.stderr) == (1, f"foodsort: {name} cannot be moved: Permission denied\n")
    assert (doubted / name).exists()
    assert row(doubted, Path(name).name) == before
    assert select(doubted, "SELECT photos FROM batches WHERE id = 2") == [{"photos": 3}]
    assert select(doubted, f"SELECT 1 FROM reclassifications WHERE photo_id = {before['id']}") == []
    assert reclassify(foodsort, doubted) == {"judged": 2, "changed": 1, "moved": 1, "batch": 3}


@pytest.mark.parametrize("thresholds", [AT_A_LOSS])
def test_photos_are_unsure_only_if_there_is_a_folder_for_them(
    root: Path, tmp_path: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, thresholds: Any
) -> None:
    drop(root, "a.jpg", doubtful())
    run_once(root, foodsort)
    monkeypatch.setenv(MODEL, str(write_model(tmp_path / "at-a-loss", "at-a-loss", thresholds).folder))
    assert reclassify(foodsort, root)["changed"] == 0
    (root / "foodsort.toml").write_text('[folders]\nunsure = "unsure"\n')
    assert reclassify(foodsort, root) == {"judged": 1, "changed": 1, "moved": 1, "batch": 3}
    assert (set(photos(root)), row(root, "a.jpg")["label"]) == ({"unsure/a.jpg"}, "unsure")
    (root / "foodsort.toml").unlink()
    assert reclassify(foodsort, root)["moved"] == 1
    assert (set(photos(root)), row(root, "a.jpg")["label"]) == ({"food/a.jpg"}, "food")


def test_a_batch_is_taken_back_only_after_the_batches_that_followed_it(
    doubted: Path, tmp_path: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = predictions(doubted)
    reclassify(foodsort, doubted)
    monkeypatch.setenv(MODEL, str(write_model(tmp_path / "third", "third", AT_A_LOSS).folder))
    assert reclassify(foodsort, doubted) == {"judged": 4, "changed": 2, "moved": 2, "batch": 3}
    code, _, err = foodsort("undo", "--root", doubted, "--batch", "2")
    assert (code, len(err.splitlines())) == (1, 4)
    assert "food/pie.jpg was classified again since, by batch 3; it stays" in err
    for batch in ("3", "2"):
        assert foodsort("undo", "--root", doubted, "--batch", batch)[0] == 0
    assert predictions(doubted) == before


def test_a_model_is_chosen_by_its_name(doubted: Path, foodsort: Foodsort) -> None:
    assert reclassify(foodsort, doubted, "--model", "foodsort-resnet50", "--dry-run")["judged"] == 4
    assert reclassify(foodsort, doubted, "--model", "strict", "--dry-run")["judged"] == 0
    assert reclassify(foodsort, doubted, "--since", "2100-01-01")["judged"] == 0
    code, out, err = foodsort("reclassify", "--root", doubted, "--model", "nobody's")
    assert (code, out) == (1, "")
    assert err.startswith("foodsort: no model in the database has the name nobody's;")


def test_exact_copies_are_judged_by_one_run_of_the_network(
    doubted: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = ScriptedEngine.logits
    sizes: list[int] = []

    def count(engine: ScriptedEngine, pixels: Any) -> Any:
        sizes.append(len(pixels))
        return logits(engine, pixels)

    monkeypatch.delenv(MODEL)
    for number in range(3):
        drop(doubted, f"copy {number}.jpg", doubtful(1))
    run_once(doubted, foodsort)
    make_one_batch(doubted)
    (doubted / "food/trip/soup.jpg").unlink()  # the first of them, so that another one has to be read
    monkeypatch.setenv(MODEL, str(doubted.parent / "strict"))
    monkeypatch.setattr(ScriptedEngine, "logits", count)
    monkeypatch.setenv("FOODSORT_MODEL__CASCADE", "false")
    code, out, err = foodsort("reclassify", "--root", doubted, "--format", "json")
    assert (code, "food/trip/soup.jpg is no longer there" in err) == (1, True)
    assert json.loads(out) == {"judged": 6, "changed": 4, "moved": 4, "batch": 2}
    assert sum(sizes) == 4


def test_daemon_and_reclassify_work_at_the_same_time(
    root: Path, strict: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [doubtful(shade) for shade in range(100)]
    for number, content in enumerate(data):
        drop(root, f"{number}.jpg", content)
    run_once(root, foodsort)
    monkeypatch.setenv(MODEL, str(strict))
    new = [photo("food", shade) for shade in range(60)]
    with running(root) as daemon, (root.parent / "out").open("w") as out:
        call = start_command("reclassify", "--root", root, output=out)
        for number, content in enumerate(new):
            drop(root, f"new {number}.jpg", content)
        until(
            lambda: sum(state == "filed" for state in states(root).values()) == 160 and call.poll() is not None, daemon
        )
    assert (call.wait(), (root.parent / "out").read_text().splitlines()[-1].partition(": ")[2]) == (
        0,
        "100 with another label, 100 moved; `foodsort undo --batch "
        f"{select(root, 'SELECT id FROM batches WHERE kind = ' + repr('reclassify'))[0]['id']}` takes that back",
    )
    assert problems(root, data + new) == []
    assert len(list((root / "non_food").iterdir())) == 100


def test_new_photos_and_photos_that_change_reach_hooks(doubted: Path, foodsort: Foodsort) -> None:
    before = select(doubted, "SELECT max(id) AS id FROM changes")[0]["id"]
    reclassify(foodsort, doubted)
    changed = select(doubted, f"SELECT DISTINCT photo_id FROM changes WHERE id > {before} ORDER BY 1")
    moved = sorted(row["id"] for row in rows(doubted) if row["name"] in {"soup.jpg", "bread.jpg"})
    assert [change["photo_id"] for change in changed] == moved


POINTS = ["judged", "begun", "taken", "taken:2", "arrived", "arrived:2", "reclassified"]


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_call_is_completed_by_the_next_one(
    doubted: Path, photo: Photo, foodsort: Foodsort, point: str
) -> None:
    before = predictions(doubted)
    kill_at(point, "reclassify", "--root", doubted)
    code, _, err = foodsort("reclassify", "--root", doubted, "--format", "json")
    assert (code, err) == (0, "")
    assert set(photos(doubted)) == AFTER
    batches = select(doubted, "SELECT id, photos FROM batches WHERE kind = 'reclassify'")
    assert batches == [{"id": 2, "photos": 4}]
    assert {row["batch_id"] for row in rows(doubted)} == {2}
    assert len(select(doubted, "SELECT photo_id FROM reclassifications")) == 4
    assert foodsort("undo", "--root", doubted, "--batch", "2")[0] == 0
    assert predictions(doubted) == before
    if "postgresql" not in os.environ.get("FOODSORT_DATABASE__URL", ""):
        assert problems(doubted, of_doubted(photo)) == []


@pytest.mark.parametrize("point", POINTS[1:])
def test_a_killed_call_is_taken_back_as_it_is(doubted: Path, photo: Photo, foodsort: Foodsort, point: str) -> None:
    before = predictions(doubted)
    kill_at(point, "reclassify", "--root", doubted)
    assert foodsort("undo", "--root", doubted, "--last")[0] == 0
    assert predictions(doubted) == before
    assert set(photos(doubted)) == BEFORE
    assert problems(doubted, of_doubted(photo)) == []
    # The batch that was taken back is complete: the next call makes one of its own.
    assert reclassify(foodsort, doubted) == {"judged": 4, "changed": 2, "moved": 2, "batch": 3}


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("point", POINTS[1:-1])
def test_a_killed_undo_is_completed_by_the_next_one(
    doubted: Path, photo: Photo, foodsort: Foodsort, point: str
) -> None:
    before = predictions(doubted)
    reclassify(foodsort, doubted)
    kill_at(point, "undo", "--root", doubted, "--batch", "2")
    code, _, err = foodsort("undo", "--root", doubted, "--batch", "2")
    assert (code, err) == (0, "")
    assert predictions(doubted) == before
    assert set(photos(doubted)) == BEFORE
    if "postgresql" not in os.environ.get("FOODSORT_DATABASE__URL", ""):
        assert problems(doubted, of_doubted(photo)) == []


def test_a_killed_call_of_another_model_is_a_batch_of_its_own(
    doubted: Path, tmp_path: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at("arrived", "reclassify", "--root", doubted)
    monkeypatch.setenv(MODEL, str(write_model(tmp_path / "third", "third", AT_A_LOSS).folder))
    assert reclassify(foodsort, doubted)["batch"] == 3
    assert select(doubted, "SELECT id, photos FROM batches WHERE kind = 'reclassify' ORDER BY id") == [
        {"id": 2, "photos": 4},
        {"id": 3, "photos": 4},
    ]


def test_a_photo_that_was_sorted_again_after_a_killed_call_is_judged_by_what_it_is_now(
    doubted: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at("reclassified", "reclassify", "--root", doubted)
    strict = os.environ[MODEL]
    monkeypatch.delenv(MODEL)
    assert foodsort("undo", "--root", doubted, "non_food/bread.jpg")[0] == 0
    assert foodsort("retry", "--root", doubted, "inbox/bread.jpg")[0] == 0
    run_once(doubted, foodsort)
    assert row(doubted, "bread.jpg")["path"] == "food/bread.jpg"
    monkeypatch.setenv(MODEL, strict)
    before = row(doubted, "bread.jpg")
    assert reclassify(foodsort, doubted)["batch"] == 2
    assert row(doubted, "bread.jpg")["path"] == "non_food/bread.jpg"
    assert foodsort("undo", "--root", doubted, "--batch", "2")[0] == 0
    after = row(doubted, "bread.jpg")
    assert {name: after[name] for name in PREDICTION} == {name: before[name] for name in PREDICTION}


def test_an_interrupted_call_keeps_its_judgements(doubted: Path, foodsort: Foodsort) -> None:
    command = [sys.executable, "-m", "daemon", "reclassify", "--root", str(doubted)]
    with subprocess.Popen(command, env=os.environ | {VARIABLE: "judged:1:hang"}) as call:
        try:
            until(lambda: bool(select(doubted, "SELECT 1 FROM judgements")))
        finally:
            call.kill()
    before = tree(doubted)
    assert reclassify(foodsort, doubted, "--dry-run")["judged"] == 4
    assert tree(doubted) == before


def test_a_root_that_is_not_sorted_yet_is_refused(root: Path, foodsort: Foodsort) -> None:
    code, out, err = foodsort("reclassify", "--root", root)
    assert (code, out) == (1, "")
    assert "foodsort.db does not exist" in err


def test_the_model_that_was_promoted_judges(doubted: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODEL)
    learned = add_model(doubted, 1)
    assert foodsort("models", "promote", learned.model_name, "--root", doubted)[0] == 0
    assert reclassify(foodsort, doubted) == {"judged": 4, "changed": 0, "moved": 0, "batch": 2}
    assert {row["model"] for row in rows(doubted)} == {learned.model_name}
    assert foodsort("models", "rollback", "--root", doubted)[0] == 0
    # What the model in use has said of these bytes before is not known: their rows have the other model's answer.
    assert reclassify(foodsort, doubted) == {"judged": 4, "changed": 0, "moved": 0, "batch": 3}
    assert {row["model"] for row in rows(doubted)} == {Bundle.load().model_name}
