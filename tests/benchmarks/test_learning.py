from pathlib import Path

import numpy as np
import pytest

from benchmarks import learning, learning_bank, learning_plots, learning_trials
from benchmarks.learning_person import AUDIT, PAGE, Person, error, reader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def domain() -> learning_bank.Domain:
    return learning_bank.without(learning_bank.draw_sources(0, 200), 0)


def test_a_domain_leaves_whole_sources_out_of_bank_and_model(domain: learning_bank.Domain) -> None:
    sources = learning_bank.sources()
    own = set(sources[domain.pool]) | set(sources[domain.test])
    assert not own & set(domain.base.training.sources)
    assert not set(domain.pool) & set(domain.test)
    assert not set(domain.groups[domain.pool]) & set(domain.groups[domain.test])
    assert len(domain.pool) + len(domain.test) >= 200
    assert {len(head.centres) for head in domain.base.heads.values()}.isdisjoint(
        {len(head.centres) for head in learning_bank.shipped().heads.values()}
    )


def test_a_person_teaches_with_an_audit_sample_that_is_never_learned(domain: learning_bank.Domain) -> None:
    person = Person(domain, "teach", 1)
    first = error(reader(domain.base), domain.test)
    assert person.newest is not None
    (stage,) = person.label((40,))
    assert stage.labels == 40
    pages = 40 // PAGE
    assert len(person._asked) <= 40 - pages * AUDIT
    assert set(person._asked) <= set(domain.pool)
    assert stage.error <= first


def test_random_labels_are_all_learned(domain: learning_bank.Domain) -> None:
    person = Person(domain, "random", 1)
    assert [stage.labels for stage in person.label((10, 20))] == [10, 20]
    assert len(person._asked) == 20


def test_wrong_labels_are_asked_again() -> None:
    found = learning_trials.sabotage(0, uncertain=False)
    assert found.found > 8
    assert found.doubted < 20
    assert 0 <= found.error < 0.5


def test_the_labels_needed_for_a_goal_are_read_from_the_curve() -> None:
    counts = (0, 25, 50, 100)
    assert learning.labels_needed([0.2, 0.1, 0.08, 0.04], counts, 0.15) == pytest.approx(12.5)
    assert learning.labels_needed([0.2, 0.1, 0.08, 0.04], counts, 0.06) == pytest.approx(75)
    assert learning.labels_needed([0.2, 0.1, 0.08, 0.04], counts, 0.01) == float("inf")


def test_a_mean_has_an_interval_over_seeds() -> None:
    found = learning.mean([0.1, 0.2, 0.3], per=[0.2, 0.4, 0.6])
    assert found == pytest.approx((0.5, 0.5, 0.5))
    spread = learning.mean(np.linspace(0, 1, 11).tolist())
    assert spread.low < spread.value < spread.high
    assert spread.percent() == f"50.0 ({100 * spread.low:.1f} to {100 * spread.high:.1f})"


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    learning_plots.curves(tmp_path / "a.svg", (0, 25), {"teach": [[0.1, 0.05]], "random": [[0.1, 0.08]]})
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        learning.main(["everything"])
    assert "there is no part everything" in capsys.readouterr().err
