"""The model beside others, how it came to be, and what it is."""

from pathlib import Path

import pandas as pd

from models.bundle import NETWORK, Bundle
from training.data.audit import Audit
from training.data.dataset import CLASSES
from training.evaluation import cost
from training.evaluation.comparison import Comparison
from training.evaluation.mistakes import relative
from training.report import figures
from training.report.document import Drawing, Section, Table
from training.report.sections.numbers import first_rows, percent, percent_range


def against(found: Comparison, root: Path) -> Section:
    """A second bundle over the same photos, whose names are relative to `root`."""
    test = found.test
    columns = (found.differing[name] for name in ("path", "label", "p_first", "p_second"))
    differing = [
        [relative(path, root), CLASSES[label], f"{this:.3f}", f"{that:.3f}"]
        for path, label, this, that in zip(*columns, strict=True)
    ]
    return Section(
        "against",
        "Against another",
        words=[
            f"This: {found.first}. That: {found.second}. On {found.n:,} photos this is right on "
            f"{percent(found.accuracy[0], 2)}, that on {percent(found.accuracy[1], 2)}. If neither were better, so large a "
            f"difference would still come about with probability p = {test.p:.3g} (McNemar's exact test)."
        ],
        tables=[
            Table(
                ["both right", "only this", "only that", "neither", "p"],
                [[*(f"{count:,}" for count in test[:4]), f"{test.p:.3g}"]],
            ),
            first_rows(["photo", "label", "P(food), this", "that"], differing, "Photos on which they differ"),
        ],
    )


def engines(found: Comparison) -> Section:
    """The 8-bit model against the float32 one."""
    return Section(
        "engines",
        "Engines",
        words=[
            f"The bundle holds the network twice: for TensorFlow, and with 8-bit integers for OpenVINO. On these {found.n:,} "
            f"photos the two give {found.test.only_first + found.test.only_second:,} photos another label (McNemar's exact "
            f"p = {found.test.p:.3g}), and P(food) differs by at most {found.largest:.3f}. It was checked on the "
            "processor that is named here; others may round otherwise."
        ],
        tables=[
            Table(
                ["ran by", "right"],
                [
                    [name, percent(share, 2)]
                    for name, share in zip((found.first, found.second), found.accuracy, strict=True)
                ],
            )
        ],
    )


def audited(audit: Audit) -> Section:
    """What the audit before the training found."""
    rows = [[split, *(f"{n:,}" for n in counts.values())] for split, counts in audit.photos.items()]
    told = [
        [
            one.given,
            percent(one.accuracy, 1),
            percent_range(one.accuracy_ci95, 1),
            percent(one.majority, 1),
            f"{one.skill:.2f}",
            "yes" if one.suspicious else "no",
        ]
        for one in audit.shortcuts
    ]
    exact = sum(one.exact for one in audit.duplicates)
    words = [
        f"Before the training: {len(audit.unreadable):,} photos unreadable, {exact:,} exact and "
        f"{len(audit.duplicates) - exact:,} near twins; {len(audit.leaks):,} training photos were in another split too and "
        "left training. audit.md has them all."
    ]
    if audit.one_sided is not None:
        words.append(f"{percent(audit.one_sided, 0)} of the photos come from sources with one label alone.")
    return Section(
        "audit",
        "Audit",
        words=words,
        tables=[
            Table(["split", *CLASSES], rows),
            Table(
                ["told from", "right", "95 % interval", "commoner label", "skill", "suspicious"],
                told,
                "How much of validation shallow models tell without looking at the picture",
            ),
        ],
        points=[f"Warning: {warning}" for warning in audit.warnings],
    )


def trained(epochs: pd.DataFrame) -> Section:
    """How the training went."""
    drawing = Drawing("history.svg", figures.svg(figures.history(epochs)), "Loss and accuracy by epoch")
    return Section("history", "Training", words=[f"{len(epochs)} epochs."], drawings=[drawing])


def model(bundle: Bundle, engine: str) -> Section:
    """What was judged."""
    card, side = bundle.card, bundle.card.fit.side
    rows = [
        # The digest of the weights: a bundle's own is another one as soon as its card holds these figures.
        ["model", f"{card.name}, made {card.created_at:%Y-%m-%d}; weights {card.files[NETWORK][:12]}"],
        ["run by", engine],
        ["picture", f"{side} × {side} px, {card.fit.mode}"],
        ["cost of a picture", f"{cost.multiply_adds(side) / 1e9:.2f} G multiply-adds; it grows with the side squared"],
        ["temperature", f"{card.temperature:.4f}"],
        ["food from P(food)", f"{card.thresholds.food:.4f}"],
        ["unsure between", f"{card.thresholds.unsure_low:.4f} and {card.thresholds.unsure_high:.4f}"],
        ["trained on data with digest", card.data_sha256[:12]],
        ["libraries", ", ".join(f"{name} {release}" for name, release in card.libraries.items())],
    ]
    return Section("model", "Model", tables=[Table(["what", "is"], rows, prose=True)])
