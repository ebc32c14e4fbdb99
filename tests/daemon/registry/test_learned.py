from pathlib import Path

import pytest

from daemon.registry import learned, promotions
from daemon.registry.promotions import Promotion
from models.bundle import Bundle
from models.errors import FoodsortError
from tests.daemon.learned_models import add_model


def put_live(root: Path, bundle: Bundle) -> None:
    new = Promotion(sha256=bundle.sha256, name="m", promoted_at="now", by="ann", verdict="better", reason="r")
    promotions.save(root, promotions.load(root).promote(new, ""))


def names(root: Path) -> list[str]:
    return [model.name for model in learned.learned_models(root, "")]


def test_models_are_listed_newest_first_with_their_judgement(tmp_path: Path) -> None:
    assert names(tmp_path) == []
    old, new = add_model(tmp_path, 1, "worse", age_s=60), add_model(tmp_path, 2)
    (tmp_path / "models/notes").mkdir()  # no model
    models = learned.learned_models(tmp_path, "")
    assert [(model.name, model.judgement.verdict, model.live) for model in models] == [
        (new.model_name, "better", False),
        (old.model_name, "worse", False),
    ]
    put_live(tmp_path, old)
    assert [model.live for model in learned.learned_models(tmp_path, "")] == [False, True]
    assert [model.live for model in learned.learned_models(tmp_path, "other")] == [False, False]


def test_a_model_is_found_by_its_name_or_the_start_of_its_digest(tmp_path: Path) -> None:
    bundle = add_model(tmp_path, 1)
    assert learned.find(tmp_path, "", bundle.model_name).sha256 == bundle.sha256
    assert learned.find(tmp_path, "", bundle.sha256[:5].upper()).sha256 == bundle.sha256
    with pytest.raises(FoodsortError, match=f"nobody is no learned model; learned models: {bundle.model_name}"):
        learned.find(tmp_path, "", "nobody")
    with pytest.raises(FoodsortError, match="is no learned model"):
        learned.find(tmp_path, "", "")


def test_the_candidate_is_the_newest_model_unless_it_was_live_or_is_worse(tmp_path: Path) -> None:
    assert learned.candidate(tmp_path, "") is None
    first = add_model(tmp_path, 1, age_s=60)
    found = learned.candidate(tmp_path, "")
    assert found is not None
    assert found.sha256 == first.sha256
    put_live(tmp_path, first)
    assert learned.candidate(tmp_path, "") is None
    add_model(tmp_path, 2, "worse")
    assert learned.candidate(tmp_path, "") is None


def test_the_last_five_are_kept_and_those_that_are_live_or_may_be_again(tmp_path: Path) -> None:
    bundles = [add_model(tmp_path, number, age_s=100 - number) for number in range(9)]
    put_live(tmp_path, bundles[0])
    put_live(tmp_path, bundles[2])
    learned.prune(tmp_path, "")
    kept = [bundles[number].model_name for number in (8, 7, 6, 5, 4, 2, 0)]
    assert names(tmp_path) == kept
    base = Bundle.load().sha256[:12]
    assert {path.name for path in (tmp_path / "models").iterdir()} == {
        base,
        "promotions.json",
        *(name.partition("@")[2] for name in kept),
    }
    assert Bundle.load(bundles[0].folder).sha256 == bundles[0].sha256
