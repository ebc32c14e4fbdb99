"""The trials of `benchmarks.learning`, each for one seed."""

import resource
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import learning_bank as bank
from benchmarks.learning_bank import Domain, Rows
from benchmarks.learning_person import Person, Stage, Way, error, guard_of, keeper, learn, reader
from models.bundle import Bundle
from models.features import FeatureExtractor
from models.images.decode import decode
from models.selection import most_informative
from training.fitting.views import View
from training.learning import candidate
from training.learning.candidate import Candidate
from training.learning.heads import PersonsPhotos
from training.learning.judge import Reader, count
from training.learning.verdict import decide

COUNTS = (25, 50, 100, 200)
"""Answers after which a person's model is measured."""
PHOTOS = 500
"""Fewest photos of a new domain."""
LABELS, WRONG = 100, 20
"""Labels of the sabotage, and how many of them are wrong."""
TABLEWARE = ("ceram", "crockery", "utensil", "kitchenware")
"""Parts of the names of sources of tableware."""
PLATED = ("recipes", "food-classification")
"""Parts of the names of sources of dishes on plates, which the owner of the tableware has too."""


class Curve(NamedTuple):
    """Errors of one person by the number of answers, 0 first, and the stages after."""

    start: float
    stages: tuple[Stage, ...]


class Sabotage(NamedTuple):
    """Labels of which some are wrong.

    Attributes:
        found: Wrong labels that are asked again.
        doubted: Right labels that are asked again.
        verdict: The verdict.
        start: Error before learning.
        error: Error after it.
        guard: Photos of the guard lost, net.
        guard_photos: Photos of the guard.
    """

    found: int
    doubted: int
    verdict: str
    start: float
    error: float
    guard: int
    guard_photos: int


def new_domain(seed: int, way: Way, counts: tuple[int, ...] = COUNTS) -> Curve:
    """A person whose photos are of sources that neither bank nor model have."""
    domain = bank.without(bank.draw_sources(seed, PHOTOS), seed)
    return Curve(error(reader(domain.base), domain.test), tuple(Person(domain, way, seed).label(counts)))


def tableware(seed: int, *, hard: bool) -> tuple[Domain, Rows]:
    """A person with empty plates and dishes; returns also which of the test photos are tableware.

    Args:
        seed: Seed of the draw.
        hard: The tableware is as many photos that the model gets wrong as it gets right.
    """
    names = set(bank.sources()[bank.further()].tolist())
    plates, dishes = (
        [name for name in sorted(names) if any(part in name.lower() for part in parts)] for parts in (TABLEWARE, PLATED)
    )
    labels = bank.shipped().training.labels
    random = np.random.default_rng(seed)
    is_plate = np.isin(bank.sources(), plates) & (labels == 0)
    own = np.flatnonzero(is_plate)
    if hard:
        blind = bank.without([*plates, *dishes], seed).base
        wrong = np.array([row for row in own if error(reader(blind), np.array([row]))], np.int64)
        right = random.permutation(np.setdiff1d(own, wrong))[: len(wrong)]
        own = np.concatenate([wrong, right])
    food = np.flatnonzero(np.isin(bank.sources(), dishes) & (labels == 1))
    rows = np.concatenate([own, random.permutation(food)[: len(own)]])
    domain = bank.without([*plates, *dishes], seed, rows=rows, test_share=0.2 if hard else 0.5)
    return domain, domain.test[is_plate[domain.test]]


def sabotage(seed: int, *, uncertain: bool) -> Sabotage:
    """Flips labels of a new domain: of photos that Teach asks for, or of random ones."""
    domain = bank.without(bank.draw_sources(seed, PHOTOS), seed)
    live = reader(domain.base)
    random = np.random.default_rng(seed)
    rows = _chosen(domain, live, seed) if uncertain else random.permutation(domain.pool)[:LABELS]
    is_wrong = np.zeros(len(rows), bool)
    is_wrong[random.permutation(len(rows))[:WRONG]] = True
    truth = bank.shipped().training.labels[rows]
    labels = np.where(is_wrong, 1 - truth, truth)
    made = learn(domain, rows, labels, np.ones(len(rows), np.int64), live)
    new = Reader(made.heads, made.cascade, made.thresholds)
    guard = guard_of(live, new)
    return Sabotage(
        found=int((made.asked_again & is_wrong).sum()),
        doubted=int((made.asked_again & ~is_wrong).sum()),
        verdict=_verdict(domain, rows, labels, live, made),
        start=error(live, domain.test),
        error=error(new, domain.test),
        guard=guard.lost - guard.won,
        guard_photos=guard.n,
    )


def _chosen(domain: Domain, live: Reader, seed: int) -> Rows:
    """Rows that a person labels with Teach, without the audit sample: two of three uncertain, the others random."""
    positions = {side: at[domain.pool] for side, at in bank.shipped().training.positions.items()}
    side = next(iter(positions))
    count_ = 2 * LABELS // 3
    first = most_informative(live.p_food(positions), positions[side], count_, domain.groups[domain.pool].tolist(), seed)
    others = np.setdiff1d(np.arange(len(domain.pool)), first)
    rest = np.random.default_rng(seed).permutation(others)[: LABELS - len(first)]
    return np.asarray(domain.pool[np.concatenate([first, rest])])


def one_class(seed: int) -> Sabotage:
    """A person who calls everything food."""
    domain = bank.without(bank.draw_sources(seed, PHOTOS), seed)
    live = reader(domain.base)
    rows = np.random.default_rng(seed).permutation(domain.pool)[:LABELS]
    labels = np.ones(len(rows), np.int64)
    truth = bank.shipped().training.labels[rows]
    made = learn(domain, rows, labels, np.ones(len(rows), np.int64), live)
    new = Reader(made.heads, made.cascade, made.thresholds)
    guard = guard_of(live, new)
    return Sabotage(
        found=int((made.asked_again & (truth == 0)).sum()),
        doubted=int((made.asked_again & (truth == 1)).sum()),
        verdict=_verdict(domain, rows, labels, live, made),
        start=error(live, domain.test),
        error=error(new, domain.test),
        guard=guard.lost - guard.won,
        guard_photos=guard.n,
    )


def _verdict(domain: Domain, rows: Rows, labels: Rows, live: Reader, made: Candidate) -> str:
    positions = {side: at[rows] for side, at in bank.shipped().training.positions.items()}
    held_out = count(live.p_food(positions), made.p_held_out, labels, (live.thresholds, made.thresholds))
    nothing = held_out.model_copy(update={"n": 0, "won": 0, "lost": 0, "p": 1.0})
    return decide(guard_of(live, Reader(made.heads, made.cascade, made.thresholds)), held_out, nothing).verdict


def refit(seed: int, labels: int) -> dict[str, tuple[float, float]]:
    """Learns from random labels in two ways: support vector machines on bank and labels together, or a correction.

    Returns:
        By way: the error, and the photos of the guard lost, net, in 1,000.
    """
    domain = bank.without(bank.draw_sources(seed, PHOTOS), seed)
    live = reader(domain.base)
    rows = np.random.default_rng(seed).permutation(domain.pool)[:labels]
    truth = bank.shipped().training.labels[rows]
    readers = {f"svm, weight {weight}": _machine(domain, rows, weight) for weight in (1, 3, 10)}
    made = learn(domain, rows, truth, np.full(len(rows), 2), live)
    readers["correction"] = Reader(made.heads, made.cascade, made.thresholds)
    found = {"none": (error(live, domain.test), 0.0)}
    for name, one in readers.items():
        guard = guard_of(live, one)
        found[name] = (error(one, domain.test), 1000 * (guard.lost - guard.won) / guard.n)
    return found


def _machine(domain: Domain, rows: Rows, weight: int) -> Reader:
    base, own = domain.base, bank.take(bank.shipped().training, rows)
    both = np.concatenate([base.training.weights, np.full(len(rows), weight)])
    heads = {
        side: bank.svm(
            head,
            np.concatenate([base.training.positions[side], own.positions[side]]),
            np.concatenate([base.training.labels, own.labels]),
            both,
        )
        for side, head in base.heads.items()
    }
    return Reader(heads, base.cascade, base.thresholds)


def many(labels: int, seed: int = 1) -> tuple[float, float, float]:
    """Learns from many labels: photos of a new domain with noise, each one several times over.

    Returns:
        Seconds, the largest memory of the process (MB), the photos of the guard lost, net, in 1,000.
    """
    domain = bank.without(bank.draw_sources(seed, PHOTOS), seed)
    random = np.random.default_rng(seed)
    rows = random.choice(domain.pool, labels)
    whole = bank.shipped()
    noisy: dict[int, np.typing.NDArray[np.float32]] = {}
    for side, at in whole.training.positions.items():
        spread = 0.25 * at[domain.pool].std(axis=0)
        noisy[side] = (at[rows] + random.normal(0, 1, (labels, at.shape[1])) * spread).astype(np.float32)
    photos = PersonsPhotos(noisy, whole.training.labels[rows], domain.groups[rows], np.ones(labels, np.int64))
    live = reader(domain.base)
    begun = time.perf_counter()
    made = candidate.make(domain.base, photos, keeper(domain, live), seed)
    seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    guard = guard_of(live, Reader(made.heads, made.cascade, made.thresholds))
    return seconds, memory, 1000 * (guard.lost - guard.won) / guard.n


def views(folder: Path) -> dict[str, dict[str, int]]:
    """Learns from the guard's photos of sources that training has not seen, and counts mistakes on views of photos.

    Args:
        folder: The validation split of Food-5K or its stand-in, photos named {label}_{id}.jpg.

    Returns:
        By view and by way, how many of the photos are wrong.
    """
    paths = sorted(folder.glob("*.jpg"))
    labels = np.array([int(path.name[0]) for path in paths])
    bundle = Bundle.load()
    pixels = np.stack([decode(path.read_bytes(), bundle.card.fit).pixels for path in paths])
    extractor, rows = FeatureExtractor(bundle), np.arange(len(paths))
    readers = _readers()
    found: dict[str, dict[str, int]] = {}
    for view in (View("original"), View("grey"), View("part")):
        seen = extractor.positions(view.transform(1)(pixels, rows))
        positions = {side: at.astype(np.float32) for side, at in seen.items()}
        found[view.name] = {
            name: int(((one.p_food(positions) >= one.thresholds.food) != (labels == 1)).sum())
            for name, one in readers.items()
        }
    return found


def _readers() -> dict[str, Reader]:
    base = bank.shipped()
    guard = base.guard
    is_new = ~np.isin(guard.sources, base.training.sources)
    own = bank.take(guard, np.flatnonzero(is_new))
    count_ = len(own.labels)
    photos = PersonsPhotos(own.positions, own.labels, np.arange(count_), np.full(count_, 2))
    made = candidate.make(base._replace(guard=bank.take(guard, np.flatnonzero(~is_new))), photos, lambda _: True, 1)
    weights = np.concatenate([base.training.weights, np.full(count_, 3.0)])
    machines = {
        side: bank.svm(
            head,
            np.concatenate([base.training.positions[side], own.positions[side]]),
            np.concatenate([base.training.labels, own.labels]),
            weights,
        )
        for side, head in base.heads.items()
    }
    return {
        "shipped": reader(base),
        f"svm, {count_} labels": Reader(machines, base.cascade, base.thresholds),
        f"correction, {count_} labels": Reader(made.heads, made.cascade, made.thresholds),
    }
