"""A candidate judges new photos silently, and becomes the live model while photos arrive.

The daemons are started with `env`, so not forked from a warm process: OpenVINO's threads end badly in one.
"""

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from daemon.database import addresses, connections
from daemon.database.schema import judgements, models, photos
from models.bundle import Bundle
from tests.daemon.conftest import Foodsort, Photo, running, until
from tests.daemon.learned_models import add_model
from tests.daemon.rows import rows

pytestmark = pytest.mark.slow


@pytest.fixture
def networked(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose daemon runs the shipped network."""
    monkeypatch.setenv("FOODSORT_MODEL__ENGINE", "openvino")
    return root


def judged(root: Path) -> dict[str, tuple[str, str]]:
    """By the name of the photo, the model that judged it and its label."""
    engine = connections.connect_to_read(addresses.database_url(root, ""))
    query = (
        sa.select(photos.c.name, models.c.sha256, judgements.c.label)
        .join_from(judgements, photos)
        .join(models, models.c.id == judgements.c.model_id)
    )
    with engine.connect() as connection:
        return {name: (sha256, label) for name, sha256, label in connection.execute(query)}


def models_of(root: Path) -> dict[str, str]:
    return {str(row["name"]): str(row["model"]) for row in rows(root)}


def test_a_candidate_judges_new_photos_from_when_it_is_made_until_it_is_live(
    networked: Path, photo: Photo, foodsort: Foodsort
) -> None:
    root = networked
    live = Bundle.load().model_name
    with running(root, "env") as daemon:
        (root / "inbox/1.jpg").write_bytes(photo("non_food", 1))
        until(lambda: "1.jpg" in models_of(root), daemon)
        assert judged(root) == {}

        candidate = add_model(root, 40)  # everything is food to it

        def add_until_judged() -> bool:
            name = f"{time.monotonic_ns()}.jpg"
            (root / "inbox" / name).write_bytes(photo("non_food", time.monotonic_ns() % 200))
            until(lambda: name in models_of(root), daemon)
            return bool(judged(root))

        until(add_until_judged, daemon)
        assert set(judged(root).values()) == {(candidate.sha256, "food")}
        assert set(models_of(root).values()) == {live}
        assert not list((root / "food").iterdir())

        assert foodsort("models", "promote", candidate.model_name, "--root", root)[0] == 0
        begun = len(judged(root))

        def add_until_live() -> bool:
            add_until_judged()
            return candidate.model_name in models_of(root).values()

        until(add_until_live, daemon)
        assert list((root / "food").iterdir())
        last = len(judged(root))
        add_until_judged()
        assert len(judged(root)) == last >= begun  # it judges no more, because it sorts

        assert foodsort("models", "rollback", "--root", root)[0] == 0
        (root / "inbox/back.jpg").write_bytes(photo("non_food", 9))

        def is_back() -> bool:
            add_until_judged()
            newest = max(rows(root), key=lambda row: int(str(row["id"])))
            return str(newest["model"]) == live

        until(is_back, daemon)
    assert not list((root / "inbox").glob("*.jpg"))


def test_the_candidate_of_a_damaged_bundle_is_left_out(networked: Path, photo: Photo) -> None:
    candidate = add_model(networked, 40)
    (candidate.folder / "heads.npz").write_bytes(b"damaged")
    with running(networked, "env") as daemon:
        (networked / "inbox/1.jpg").write_bytes(photo())
        until(lambda: "1.jpg" in models_of(networked), daemon)
    assert judged(networked) == {}
