"""`foodsort learn` from labels to a candidate, with the shipped network."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from daemon.learning import labels
from daemon.learning.learner import FEATURES
from daemon.registry import learned
from models.bundle import Bundle
from models.feature_store import FeatureStore
from models.features import feature_digest
from tests.daemon.conftest import Foodsort
from tests.daemon.processes import kill_at
from tests.daemon.rows import execute, rows, select

pytestmark = pytest.mark.slow

PHOTOS = 26


def draw(number: int, path: Path) -> None:
    """A picture of its own: shapes on noise of some scale, so that no two are near copies."""
    random = np.random.default_rng(number)
    side = int(random.choice([2, 5, 12, 40, 120]))
    noise = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((120, 120), Image.Resampling(int(random.choice([0, 3]))))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(0, 8))):
        corners = [tuple(map(int, corner)) for corner in random.integers(0, 120, (int(random.integers(2, 6)), 2))]
        colour = tuple(map(int, random.integers(0, 256, 3)))
        if random.random() < 0.5:
            pen.polygon(corners, fill=colour) if len(corners) > 2 else pen.line(corners, fill=colour, width=9)
        else:
            x, y, radius = map(int, random.integers(10, 90, 3))
            pen.ellipse((x - radius // 2, y - radius // 2, x + radius // 2, y + radius // 2), fill=colour)
    picture.save(path, "JPEG", quality=90)


@pytest.fixture(scope="module")
def labelled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with sorted photos, half of them labelled food by a person and half not."""
    root = tmp_path_factory.mktemp("learner") / "root"
    (root / "inbox").mkdir(parents=True)
    for number in range(PHOTOS):
        draw(number, root / f"inbox/{number}.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOODSORT_MODEL__ENGINE", "scripted")
        patch.setenv("FOODSORT_WATCH__SETTLE_S", "0.2")
        from tests.daemon.processes import run_command

        assert run_command("run", "--root", root, "--once").returncode == 0
        for label, parity in (("food", 0), ("non_food", 1)):
            chosen = [row["path"] for row in rows(root) if int(row["name"].removesuffix(".jpg")) % 2 == parity]
            assert run_command("correct", "--root", root, *chosen, "--label", label).returncode == 0
    return root


@pytest.fixture
def labelled(labelled_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of its own."""
    root = tmp_path / "root"
    shutil.copytree(labelled_once, root, symlinks=True)
    execute(root, f"UPDATE roots SET path = '{root}'")
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "scripted")
    return root


def learn(root: Path, foodsort: Foodsort) -> dict[str, Any]:
    code, out, err = foodsort("learn", "--root", root, "--format", "json")
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def free(root: Path) -> list[dict[str, Any]]:
    """The rows of photos that are not reserved."""
    return [row for row in rows(root) if row["sha256"] >= "3"]


def leftovers(root: Path) -> set[str]:
    return {name for name in os.listdir(root / "models") if name.startswith(".") and name != ".lock"}


def test_labels_make_a_candidate_that_stands_on_the_shipped_bundle(labelled: Path, foodsort: Foodsort) -> None:
    document = learn(labelled, foodsort)
    assert document["labels"] == len(free(labelled)) == document["held_out"]["n"]
    assert document["verdict"] in {"better", "as_good", "worse", "too_few"}
    assert document["guard"]["n"] > 1000
    assert document["problems"] == []
    bundle = Bundle.load(Path(document["path"]))
    assert bundle.model_name == document["candidate"]
    assert bundle.card.base == Bundle.load().sha256
    assert {path.name for path in bundle.folder.iterdir()} == {
        "card.json",
        "heads.npz",
        "judgement.json",
        "report.html",
    }
    (model,) = learned.learned_models(labelled, "")
    assert (model.sha256, model.live) == (bundle.sha256, False)
    assert leftovers(labelled) == set()
    assert [event["kind"] for event in select(labelled, "SELECT kind FROM events ORDER BY id")][-1] == "learned"
    assert "data:image" not in (bundle.folder / "report.html").read_text().replace("data:image/svg", "")


def test_features_are_computed_once_and_photos_are_not_opened_again(labelled: Path, foodsort: Foodsort) -> None:
    learn(labelled, foodsort)
    store = FeatureStore(labelled / "models" / FEATURES)
    digests = [row["sha256"] for row in free(labelled)]
    assert set(store.load(feature_digest(Bundle.load()), digests)) == set(digests)
    store.close()


def test_the_audit_sample_is_judged_and_never_learned_from(labelled: Path, foodsort: Foodsort) -> None:
    reserved = [row for row in rows(labelled) if row["sha256"] < "3"]
    assert reserved, "with other pictures one of them would be reserved"
    execute(
        labelled, "UPDATE reviews SET source = 'audit' WHERE photo_id IN (SELECT id FROM photos WHERE sha256 < '3')"
    )
    document = learn(labelled, foodsort)
    assert document["audit"]["n"] == len(reserved)
    assert document["labels"] <= len(free(labelled))
    judged = select(
        labelled,
        "SELECT m.sha256 AS model, p.sha256 FROM judgements j JOIN models m ON m.id = j.model_id"
        " JOIN photos p ON p.id = j.photo_id",
    )
    candidate = learned.learned_models(labelled, "")[0].sha256
    both = {(model, row["sha256"]) for model in (candidate, Bundle.load().sha256) for row in reserved}
    assert {(row["model"], row["sha256"]) for row in judged} == both


def test_a_photo_that_is_gone_or_replaced_is_left_out_and_named(labelled: Path, foodsort: Foodsort) -> None:
    gone, replaced = free(labelled)[:2]
    (labelled / gone["path"]).unlink()
    draw(99, labelled / replaced["path"])
    document = learn(labelled, foodsort)
    assert document["labels"] == len(free(labelled)) - 2
    assert document["problems"] == [
        f"{path} {reason}"
        for path, reason in sorted(
            [(gone["path"], "is no longer there"), (replaced["path"], "is no longer the photo that was put there")],
            key=lambda pair: next(row["sha256"] for row in rows(labelled) if row["path"] == pair[0]),
        )
    ]


def test_without_a_label_there_is_nothing_to_learn(labelled: Path, foodsort: Foodsort) -> None:
    execute(labelled, "DELETE FROM reviews")
    code, out, err = foodsort("learn", "--root", labelled)
    assert (code, out) == (1, "")
    assert err.startswith(
        "foodsort: nobody has labelled a photo that can be learned from; label some on the review page"
    )
    assert learned.learned_models(labelled, "") == []


def test_the_text_has_the_verdict_and_the_next_step(labelled: Path, foodsort: Foodsort) -> None:
    code, out, err = foodsort("learn", "--root", labelled)
    assert (code, err) == (0, "")
    (model,) = learned.learned_models(labelled, "")
    assert model.judgement.reason in out
    assert f"report: {model.folder}/report.html" in out
    assert ".learning-" not in out
    assert model.name in out


@pytest.mark.parametrize("point", ["learning", "learned", "listed"])
def test_a_killed_call_leaves_no_half_candidate_and_the_next_one_completes(
    labelled: Path, foodsort: Foodsort, point: str
) -> None:
    before = rows(labelled)
    kill_at(point, "learn", "--root", labelled)
    found = learned.learned_models(labelled, "")
    assert len(found) == (point == "listed")
    for model in found:
        Bundle.load(model.folder)
    learn(labelled, foodsort)
    assert len(learned.learned_models(labelled, "")) == len(found) + 1
    assert leftovers(labelled) == set()
    assert rows(labelled) == before


def test_the_data_set_has_links_and_what_is_known_of_each_photo(labelled: Path, tmp_path: Path) -> None:
    from daemon.database import addresses, connections

    engine = connections.connect_to_read(addresses.database_url(labelled, ""))
    label_set = labels.read(engine)
    folder = tmp_path / "data"
    folder.mkdir()
    labels.write([(copies[0], "training") for copies in label_set.training], labelled, folder)
    table = (folder / labels.MANIFEST).read_text().splitlines()
    assert table[0] == "path,label,split,source,id,sha256,predicted_label,taken_at,camera,asked"
    assert len(table) == len(free(labelled)) + 1
    for row in free(labelled):
        (link,) = folder.glob(f"*_{row['id']}.jpg")
        assert link.is_symlink()
        assert link.resolve() == labelled / row["path"]


def test_with_promote_the_candidate_is_live_if_its_verdict_allows_it(labelled: Path, foodsort: Foodsort) -> None:
    code, _, err = foodsort("learn", "--root", labelled, "--promote")
    assert (code, err) == (0, "")
    (model,) = learned.learned_models(labelled, "")
    assert model.live == (model.judgement.verdict in {"better", "as_good"})
    assert (model.promotion is not None) == model.live
