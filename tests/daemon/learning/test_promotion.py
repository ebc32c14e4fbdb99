import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections
from daemon.database.schema import events
from daemon.registry import learned, promotions
from models.bundle import HEADS, Bundle
from models.judgement import Verdict
from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.learned_models import add_model
from tests.daemon.processes import kill_at

pytestmark = pytest.mark.slow


@pytest.fixture
def sorted_root(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root in which a daemon has sorted a photo."""
    (root / "inbox/a.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


def listed(root: Path, foodsort: Foodsort) -> list[dict[str, object]]:
    code, out, err = foodsort("models", "--root", root, "--format", "json")
    assert code == 0, err
    found: list[dict[str, object]] = json.loads(out)
    return found


def live(root: Path, foodsort: Foodsort) -> list[object]:
    return [entry["name"] for entry in listed(root, foodsort) if entry["live"]]


def kinds(root: Path) -> list[str]:
    """The kind of the newest event."""
    engine = connections.connect_to_read(addresses.database_url(root, ""))
    with engine.connect() as connection:
        newest = sa.select(events.c.kind).order_by(events.c.id.desc()).limit(1)
        return list(connection.execute(newest).scalars())


def test_without_a_learned_model_the_bundle_in_the_settings_is_live(sorted_root: Path, foodsort: Foodsort) -> None:
    (entry,) = listed(sorted_root, foodsort)
    assert entry["name"] == Bundle.load().model_name
    assert (entry["live"], entry["verdict"], entry["promoted_at"]) == (True, None, None)
    assert Bundle.load(Path(str(entry["path"]))).sha256 == Bundle.load().sha256
    code, _, err = foodsort("models", "rollback", "--root", sorted_root)
    assert (code, err) == (1, "foodsort: no learned model is live, so there is none to take back\n")


def test_promote_and_rollback_change_the_live_model_and_say_so(sorted_root: Path, foodsort: Foodsort) -> None:
    first, second = add_model(sorted_root, 1, age_s=60), add_model(sorted_root, 2, "as_good")
    code, out, err = foodsort("models", "promote", first.sha256[:8], "--root", sorted_root)
    assert (code, err) == (0, "")
    assert out == f"{first.model_name} is live: it is better\n"
    assert live(sorted_root, foodsort) == [first.model_name]
    assert kinds(sorted_root) == ["promoted"]
    foodsort("models", "promote", second.model_name, "--root", sorted_root)
    assert live(sorted_root, foodsort) == [second.model_name]
    code, out, _ = foodsort("models", "rollback", "--root", sorted_root)
    assert out.startswith(f"{second.model_name} is taken back; {first.model_name} is live\n")
    assert live(sorted_root, foodsort) == [first.model_name]
    foodsort("models", "rollback", "--root", sorted_root)
    assert live(sorted_root, foodsort) == [Bundle.load().model_name]
    assert kinds(sorted_root) == ["taken_back"]
    history = promotions.load(sorted_root).promotions
    assert [(one.name, one.taken_back_by is not None) for one in history] == [
        (first.model_name, True),
        (second.model_name, True),
    ]


@pytest.mark.parametrize("verdict", ["worse", "too_few"])
def test_a_verdict_refuses_a_promotion_without_force(sorted_root: Path, foodsort: Foodsort, verdict: Verdict) -> None:
    bundle = add_model(sorted_root, 1, verdict)
    code, out, err = foodsort("models", "promote", bundle.model_name, "--root", sorted_root)
    assert (code, out) == (1, "")
    assert err == (
        f"foodsort: {bundle.model_name} is not put live: it is {verdict}; label more photos and learn again, or use "
        "--force\n"
    )
    assert live(sorted_root, foodsort) == [Bundle.load().model_name]
    assert foodsort("models", "promote", bundle.model_name, "--root", sorted_root, "--force")[0] == 0
    assert live(sorted_root, foodsort) == [bundle.model_name]
    assert promotions.load(sorted_root).promotions[-1].forced


def test_a_damaged_model_is_not_put_live(sorted_root: Path, foodsort: Foodsort) -> None:
    bundle = add_model(sorted_root, 1)
    heads = bundle.folder / HEADS
    heads.write_bytes(heads.read_bytes()[:-1])
    code, _, err = foodsort("models", "promote", bundle.model_name, "--root", sorted_root)
    assert code == 1
    assert "heads.npz differs from its digest" in err
    assert live(sorted_root, foodsort) == [Bundle.load().model_name]


@pytest.mark.parametrize("words", [("promote",), ("rollback", "x"), ("list", "x")])
def test_a_name_belongs_to_promote(sorted_root: Path, foodsort: Foodsort, words: tuple[str, ...]) -> None:
    code, _, err = foodsort("models", *words, "--root", sorted_root)
    assert code == 2
    assert "promote needs the name of a model" in err


def test_before_a_daemon_has_run_nothing_is_put_live(root: Path, foodsort: Foodsort) -> None:
    bundle = add_model(root, 1)
    foodsort("results", "--root", root)
    code, _, err = foodsort("models", "promote", bundle.model_name, "--root", root)
    assert code == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(("point", "is_live"), [("promoting", False), ("promoted", True)])
def test_a_kill_while_promoting_leaves_all_as_before_or_as_after(
    sorted_root: Path, foodsort: Foodsort, point: str, is_live: bool
) -> None:
    bundle = add_model(sorted_root, 1)
    kill_at(point, "models", "promote", bundle.model_name, "--root", sorted_root)
    expected = bundle if is_live else Bundle.load()
    assert live(sorted_root, foodsort) == [expected.model_name]
    assert foodsort("models", "promote", bundle.model_name, "--root", sorted_root)[0] == 0
    assert live(sorted_root, foodsort) == [bundle.model_name]
    assert len(promotions.load(sorted_root).promotions) == 1


@pytest.mark.parametrize(("point", "is_live"), [("taking_back", True), ("taken_back", False)])
def test_a_kill_while_taking_back_leaves_all_as_before_or_as_after(
    sorted_root: Path, foodsort: Foodsort, point: str, is_live: bool
) -> None:
    bundle = add_model(sorted_root, 1)
    foodsort("models", "promote", bundle.model_name, "--root", sorted_root)
    kill_at(point, "models", "rollback", "--root", sorted_root)
    expected = bundle if is_live else Bundle.load()
    assert live(sorted_root, foodsort) == [expected.model_name]


def test_a_model_that_was_live_is_used_by_commands(sorted_root: Path, foodsort: Foodsort, photo: Photo) -> None:
    bundle = add_model(sorted_root, 1)
    foodsort("models", "promote", bundle.model_name, "--root", sorted_root)
    (sorted_root / "inbox/b.jpg").write_bytes(photo(shade=3))
    assert foodsort("run", "--root", sorted_root, "--once")[0] == 0
    _, out, _ = foodsort("results", "--root", sorted_root, "--name", "b.jpg", "--format", "json")
    assert [row["model"] for row in json.loads(out)] == [bundle.model_name]
    assert "is intact" in foodsort("doctor", "--root", sorted_root)[1]
    assert learned.candidate(sorted_root, "") is None


def test_another_process_that_changes_models_is_waited_for(sorted_root: Path, foodsort: Foodsort) -> None:
    from daemon.registry.lock import exclusive
    from daemon.settings import load

    bundle = add_model(sorted_root, 1)
    with exclusive(sorted_root, load(sorted_root).folders):
        code, _, err = foodsort("models", "promote", bundle.model_name, "--root", sorted_root)
    assert code == 1
    assert "another call of foodsort learns, or changes the live model" in err
    assert live(sorted_root, foodsort) == [Bundle.load().model_name]
