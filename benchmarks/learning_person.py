"""A person who labels photos: the ones that Teach asks for, or random ones; and what the model learns from them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.learning_bank import Domain, Rows, persons, shipped
from models.judgement import Comparison, Verdict
from models.selection import most_informative
from training.learning import candidate, verdict
from training.learning.candidate import Candidate
from training.learning.judge import Reader, count

Way = Literal["teach", "random"]

PAGE, UNCERTAIN, DISAGREEING, AUDIT = 20, 10, 5, 5
"""Photos of a page of Teach, and of its kinds."""
LEARN_EVERY = 25
"""Labels after which the person has the model learn."""


class Stage(NamedTuple):
    """What a person has after some labels.

    Attributes:
        labels: Number of answers, those of the audit sample and those given again included.
        error: Share of the person's other photos that the candidate gets wrong.
        guard: The guard against the model that the person began with.
        verdict: Verdict against the live model.
        asked_again: Number of labels that did not count.
    """

    labels: int
    error: float
    guard: Comparison
    verdict: Verdict
    asked_again: int


class Person:
    """Labels photos one by one. A candidate that is not worse is put live, since the page offers that."""

    def __init__(self, domain: Domain, way: Way, seed: int) -> None:
        self._domain = domain
        self._way = way
        self._random = np.random.default_rng(seed)
        self._seed = seed
        self._truth = shipped().training.labels
        self._asked: dict[int, int] = {}
        """Photos that the model may learn from, and how often they were asked."""
        self._seen: set[int] = set()
        self._page: list[tuple[int, bool]] = []
        self._answers = 0
        self._again: list[int] = []
        self._pages = 0
        self._first = reader(domain.base)
        self._live = self._first
        self._candidate: Reader | None = None
        self._out_of_fold: dict[int, float] = {}
        """What the live model said of photos that it has learned since, before it did."""

    @property
    def newest(self) -> Reader:
        """The newest candidate; the first model before there is one."""
        return self._candidate or self._first

    def label(self, counts: Sequence[int]) -> Iterator[Stage]:
        """Labels photos, and yields a stage at each number of answers; fewer if the photos run out."""
        for goal in counts:
            while self._answers < goal:
                if not self._page:
                    self._page = self._next_page()
                if not self._page:
                    return
                self._answer(*self._page.pop(0))
                if self._way == "teach" and self._answers % LEARN_EVERY == 0 and self._answers != goal:
                    self._learn()
            yield self._learn()

    def _answer(self, row: int, is_audit: bool) -> None:
        self._answers += 1
        self._seen.add(row)
        if not is_audit:
            self._asked[row] = self._asked.get(row, 0) + 1

    def _next_page(self) -> list[tuple[int, bool]]:
        left = np.array([row for row in self._domain.pool if row not in self._seen], np.int64)
        if self._way == "random":
            chosen = self._random.permutation(left)[:PAGE]
            return [(row, False) for row in [*self._again, *chosen.tolist()][:PAGE]]
        again, self._again = self._again[:UNCERTAIN], self._again[UNCERTAIN:]
        page = [*again, *self._disagreeing(left)]
        uncertain = [row for row in left if row not in page]
        page += self._uncertain(np.array(uncertain, np.int64), PAGE - AUDIT - len(page))
        others = [row for row in left if row not in page]
        audit = self._random.permutation(np.array(others, np.int64))[:AUDIT].tolist()
        self._pages += 1
        return [*((row, False) for row in page), *((row, True) for row in audit)]

    def _disagreeing(self, left: Rows) -> list[int]:
        if self._candidate is None or not len(left):
            return []
        live, new = self._live.p_food(_positions(left)), self._candidate.p_food(_positions(left))
        differs = np.flatnonzero((live >= 0.5) != (new >= 0.5))
        order = differs[np.argsort(-np.abs(live - new)[differs], kind="stable")]
        return [int(row) for row in left[order][:DISAGREEING]]

    def _uncertain(self, left: Rows, number: int) -> list[int]:
        if not len(left):
            return []
        positions = _positions(left)
        p_food = self._live.p_food(positions)
        side = next(iter(positions))
        bursts = self._domain.groups[left].tolist()
        chosen = most_informative(p_food, positions[side], number, bursts, self._pages)
        return [int(row) for row in left[chosen]]

    def _learn(self) -> Stage:
        rows = np.array(list(self._asked), np.int64)
        asked = np.array(list(self._asked.values()), np.int64)
        labels = self._truth[rows]
        made = learn(self._domain, rows, labels, asked, self._live)
        new = Reader(made.heads, made.cascade, made.thresholds)
        by_heart = self._live.p_food(_positions(rows))
        p_live = np.array([self._out_of_fold.get(int(row), p) for row, p in zip(rows, by_heart, strict=True)])
        held_out = count(p_live, made.p_held_out, labels, (self._live.thresholds, new.thresholds))
        nothing = Comparison(n=0, won=0, lost=0, p=1, correct_live=0, correct_candidate=0)
        decision = verdict.decide(guard_of(self._live, new), held_out, nothing)
        stage = Stage(
            self._answers,
            error(new, self._domain.test),
            guard_of(self._first, new),
            decision.verdict,
            int(made.asked_again.sum()),
        )
        self._again = rows[made.asked_again].tolist()
        self._candidate = new
        if decision.verdict in {"better", "as_good"}:
            self._live = new
            self._out_of_fold = dict(zip(rows.tolist(), made.p_held_out.tolist(), strict=True))
        return stage


def learn(domain: Domain, rows: Rows, labels: Rows, asked: Rows, live: Reader) -> Candidate:
    """Makes a candidate from labels of rows of the bank, as `foodsort train --on` does."""
    return candidate.make(domain.base, persons(domain, rows, labels, asked), keeper(domain, live), 1)


def keeper(domain: Domain, live: Reader) -> Callable[[Candidate], bool]:
    """Returns whether candidates keep enough of the guard, against a live model."""
    guard = domain.base.guard
    p_live = live.p_food(guard.positions)

    def keeps(made: Candidate) -> bool:
        return verdict.keeps(count(p_live, made.p_guard, guard.labels, (live.thresholds, made.thresholds)))

    return keeps


def reader(base: candidate.Base) -> Reader:
    """Returns the model of a base."""
    return Reader(base.heads, base.cascade, base.thresholds)


def error(model: Reader, rows: Rows) -> float:
    """Returns the share of rows of the bank that a model gets wrong."""
    labels = shipped().training.labels[rows]
    return float(((model.p_food(_positions(rows)) >= model.thresholds.food) != (labels == 1)).mean())


def guard_of(first: Reader, second: Reader) -> Comparison:
    """Compares two models on the guard."""
    guard = shipped().guard
    p_first, p_second = (model.p_food(guard.positions) for model in (first, second))
    return count(p_first, p_second, guard.labels, (first.thresholds, second.thresholds))


def _positions(rows: Rows) -> dict[int, np.typing.NDArray[np.float32]]:
    return {side: at[rows] for side, at in shipped().training.positions.items()}
