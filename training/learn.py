"""Learning from a person's labels: a bundle and labelled photos in, a judged candidate out. Reads from top to bottom."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from models.bundle import HEADS, Bundle
from models.errors import FoodsortError
from models.feature_store import FeatureStore
from models.features import FeatureExtractor
from models.head import save_heads
from models.judgement import JUDGEMENT, Judgement
from training.fitting.disk import disk_full_errors, require_new
from training.fitting.features import UnreadablePhoto
from training.learning import bases, candidate, card, extraction, labels, photos, placement, result, verdict
from training.learning.candidate import Base, Candidate
from training.learning.extraction import Extracted
from training.learning.judge import Reader, count
from training.learning.labels import LabelledPhoto
from training.learning.photos import Division
from training.report import learned as report

_SEED = 1


def learn(
    data: Sequence[Path],
    out: Path,
    *,
    on: Path,
    against: Path | None,
    features: Path | None,
    console: Console,
    pictures: bool = True,
) -> Judgement:
    """Fits the heads of a bundle again with a person's labels, and judges the result against the live model.

    Args:
        data: Data sets of labelled photos. Those of the split `evaluation` are the audit sample: judged, never learned.
        out: A new folder for the candidate; the bundle that it stands on is placed beside it.
        on: The bundle to learn on. If it stands on another, learning starts from that one.
        against: The live bundle; `on` if None.
        features: Cache of the photos' features; none if None.
        console: Shows the progress and notes.
        pictures: Whether the report shows photos. Without, photos whose features are cached are not decoded.

    Raises:
        FoodsortError: `out` is not empty, there is nothing to learn from, a bundle cannot be used, the disk is full, or
            the learning is interrupted.
    """
    require_new(out)
    bundle = Bundle.load(on)
    live = bundle if against is None else Bundle.load(against)
    root = bases.root_of(bundle)
    base = bases.load(root)
    bases.refuse_other_network(live, root)
    try:
        with disk_full_errors(out, "then run the command again"):
            listed, extracted = _read(data, root, features, console)
            divided = photos.divide(listed, extracted)
            for note in divided.notes:
                _say(console, note)
            return _make(out, root, live, base, divided, extracted.unreadable, console, pictures=pictures)
    except KeyboardInterrupt as error:
        raise FoodsortError(f"interrupted; nothing was written to {out}; run the same command again") from error


def _read(
    data: Sequence[Path], root: Bundle, features: Path | None, console: Console
) -> tuple[list[LabelledPhoto], Extracted]:
    """Reads the labels, and computes the features of the photos."""
    found = labels.read(data)
    for note in found.notes:
        _say(console, note)
    store = FeatureStore(features) if features is not None else None
    try:
        with Progress(console=console) as progress:
            paths = [photo.path for photo in found.photos]
            extracted = extraction.extract(FeatureExtractor(root), root.card.fit, paths, store, progress)
    finally:
        if store is not None:
            store.close()
    for photo in extracted.unreadable:
        _say(console, f"left out: {photo.path}: {photo.message}")
    return found.photos, extracted


def _make(
    out: Path,
    root: Bundle,
    live: Bundle,
    base: Base,
    divided: Division,
    unreadable: list[UnreadablePhoto],
    console: Console,
    *,
    pictures: bool,
) -> Judgement:
    """Fits and judges the candidate, and writes its folder."""
    own, audit = divided.own, divided.audit
    for part in (own, audit):
        if part.photos:
            base = base._replace(guard=photos.unlike(base.guard, part))
    reader = Reader(live.heads, live.card.cascade, live.card.thresholds)
    with Progress(console=console) as progress:
        task = progress.add_task("heads fitted", total=None)
        fitted = _fit(base, divided, reader)
        progress.update(task, total=1, completed=1)
    sets = result.judge(reader, fitted, base.guard, own, audit, result.earlier_out_of_fold(live))
    placement.place_base(root, out.parent)
    with placement.new_folder(out) as folder:
        save_heads(folder / HEADS, fitted.heads)
        bundle = Bundle.write(folder, card.describe(root, fitted, sets))
        judgement = result.compose(sets, fitted, base=root, live=live, bundle=bundle)
        (folder / JUDGEMENT).write_text(judgement.model_dump_json(indent=1) + "\n", encoding="utf-8")
        paths = own.paths | audit.paths if pictures else {}
        report.write(folder, judgement, bundle, live, base.guard, paths, unreadable)
    return judgement


def _fit(base: Base, divided: Division, live: Reader) -> Candidate:
    p_live = live.p_food(base.guard.positions)

    def keeps(fitted: Candidate) -> bool:
        thresholds = (live.thresholds, fitted.thresholds)
        return verdict.keeps(count(p_live, fitted.p_guard, base.guard.labels, thresholds))

    return candidate.make(base, divided.own.to_fit(), keeps, _SEED)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
