from pathlib import Path

import numpy as np
import pytest

from daemon.pipeline.loaded_model import LoadedModel
from models.bundle import Bundle
from models.cascade import look, look_with_all
from models.engines.one_model import OneModelEngine
from models.engines.openvino import OpenVinoEngine
from models.errors import BundleError
from tests.daemon.learned_models import add_model
from tests.models.conftest import Random

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped model with a candidate whose logits are higher."""
    return Bundle.load().with_candidate(add_model(tmp_path_factory.mktemp("root"), 2.0))


def test_an_engine_gives_the_logits_of_the_model_and_of_its_candidate(both: Bundle, pixels: Random) -> None:
    photos = pixels(5)
    assert both.candidate is not None
    engine, alone, candidate = (OpenVinoEngine(bundle, 8) for bundle in (both, Bundle.load(), both.candidate))
    expected = np.stack([alone.logits(photos), candidate.logits(photos)], axis=1)
    np.testing.assert_allclose(engine.all_logits(photos), expected, atol=1e-3)
    np.testing.assert_allclose(engine.logits(photos), expected[:, 0], atol=1e-3)
    np.testing.assert_allclose(expected[:, 1] - expected[:, 0], 2.0 / both.heads[224].temperature, atol=1e-3)

    cascades = [model.card.cascade for model in both.all_models]
    for looks, one in zip(look_with_all(engine.all_logits, photos, cascades), (alone, candidate), strict=True):
        by_itself = look(one.logits, photos, Bundle.load().card.cascade)
        np.testing.assert_allclose(looks.logits, by_itself.logits, atol=1e-3)
        assert looks.sides.tolist() == by_itself.sides.tolist()


def test_a_candidate_that_is_put_live_keeps_the_engine_and_so_does_taking_it_back(both: Bundle, pixels: Random) -> None:
    photos = pixels(3)
    assert both.candidate is not None
    engine = OpenVinoEngine(both, 8)
    before = engine.all_logits(photos)
    live = LoadedModel(both, engine).with_bundle(both.candidate)
    assert live is not None
    assert isinstance(live.engine, OneModelEngine)
    assert live.engine.engine is engine
    np.testing.assert_array_equal(live.engine.logits(photos), before[:, 1])
    back = live.with_bundle(Bundle.load())
    assert back is not None
    np.testing.assert_array_equal(back.engine.logits(photos), before[:, 0])
    again = back.with_bundle(both)
    assert again is not None
    assert again.engine is engine


def test_a_model_of_which_an_engine_has_no_heads_needs_another_one(both: Bundle, tmp_path: Path) -> None:
    engine = OpenVinoEngine(both, 8)
    assert LoadedModel(both, engine).with_bundle(add_model(tmp_path, 5.0)) is None


def test_a_candidate_with_another_network_is_refused(plain: Bundle) -> None:
    with pytest.raises(BundleError, match="has another network than"):
        Bundle.load().with_candidate(plain)
