"""Sections about the making of a model: comparisons, the audit of its data, its training."""

from pathlib import Path

import pandas as pd

from models.plurals import is_or_are, plural
from training.data.audit import Audit
from training.data.audit_report import left_out_rows
from training.data.dataset import CLASSES
from training.evaluation.comparison import Comparison
from training.evaluation.mistakes import relative_path
from training.report import plots
from training.report.document import Section, SvgFigure, Table
from training.report.sections.formatting import percent, percent_interval, truncated_table


def comparison_section(comparison: Comparison, root: Path) -> Section:
    """Compares this bundle with another one on the same photos; names are relative to `root`."""
    test = comparison.test
    columns = (comparison.disagreements[name] for name in ("path", "label", "p_first", "p_second"))
    disagreements = [
        [relative_path(path, root), CLASSES[label], f"{p_first:.3f}", f"{p_second:.3f}"]
        for path, label, p_first, p_second in zip(*columns, strict=True)
    ]
    counts = [f"{count:,}" for count in (test.both, test.only_first, test.only_second, test.neither)]
    return Section(
        anchor="against",
        title="Comparison with another model",
        paragraphs=[
            f"Model A is {comparison.first}; model B is {comparison.second}. On {comparison.n:,} photos the accuracy "
            f"of A is {percent(comparison.accuracy[0], 2)} and that of B is {percent(comparison.accuracy[1], 2)}. If "
            f"neither were better, a difference at least this large would occur with probability p = {test.p:.3g} "
            "(McNemar's exact test)."
        ],
        tables=[
            Table(["both right", "only A right", "only B right", "neither right", "p"], [[*counts, f"{test.p:.3g}"]]),
            truncated_table(
                ["photo", "label", "P(food), A", "P(food), B"], disagreements, "Photos that A and B label differently"
            ),
        ],
    )


def engines_section(comparison: Comparison) -> Section:
    """Compares the 8-bit model with the float32 model."""
    changed = comparison.test.only_first + comparison.test.only_second
    rows = [
        [name, percent(accuracy, 2)]
        for name, accuracy in zip((comparison.first, comparison.second), comparison.accuracy, strict=True)
    ]
    return Section(
        anchor="engines",
        title="Engines",
        paragraphs=[
            "The bundle holds the network twice: in float32 for TensorFlow, and in 8-bit integers for OpenVINO. They "
            f"label {changed:,} of these {comparison.n:,} photos differently (McNemar's exact p = "
            f"{comparison.test.p:.3g}), and P(food) differs by at most {comparison.largest_difference:.3f}. Other "
            "processors than the one below may round differently."
        ],
        tables=[Table(["engine", "accuracy"], rows)],
    )


def audit_section(audit: Audit) -> Section:
    """Shows the audit of the data set before the training."""
    unreadable, leaks, left_out = len(audit.unreadable), len(audit.leaks), len(audit.left_out)
    exact = sum(pair.exact for pair in audit.duplicates)
    near = len(audit.duplicates) - exact
    paragraphs = [
        f"The audit before the training found {unreadable:,} unreadable {plural(unreadable, 'photo')}, {exact:,} exact "
        f"{plural(exact, 'duplicate')} and {near:,} {plural(near, 'near-duplicate')}. Removed from training because of "
        f"a duplicate in another split: {leaks:,} {plural(leaks, 'photo')}. {left_out:,} {plural(left_out, 'file')} "
        f"{is_or_are(left_out)} no labelled {plural(left_out, 'photo')} and left out. audit.json lists them all."
    ]
    if audit.one_sided_share is not None:
        paragraphs.append(f"{percent(audit.one_sided_share, 0)} of the photos come from sources with one label only.")
    counts = [[split, *(f"{n:,}" for n in by_label.values())] for split, by_label in audit.counts.items()]
    shortcuts = [
        [
            shortcut.features,
            percent(shortcut.accuracy, 1),
            percent_interval(shortcut.accuracy_ci95, 1),
            percent(shortcut.majority, 1),
            f"{shortcut.skill:.2f}",
            "yes" if shortcut.suspicious else "no",
        ]
        for shortcut in audit.shortcuts
    ]
    return Section(
        anchor="audit",
        title="Audit",
        paragraphs=paragraphs,
        bullets=[
            *(f"Warning: {warning}" for warning in audit.warnings),
            *(f"Left out, {reason}: {files:,} {plural(files, 'file')}" for reason, files, _ in left_out_rows(audit)),
            *(f"Note: {note}" for note in audit.notes),
        ],
        tables=[
            Table(["split", *CLASSES], counts),
            Table(
                header=["features", "accuracy", "95 % interval", "more frequent label", "skill", "suspicious"],
                rows=shortcuts,
                caption="Accuracy on validation of shallow models that do not see the picture's content",
            ),
        ],
    )


def training_section(epochs: pd.DataFrame) -> Section:
    """Shows the history of fine-tuning, one row an epoch."""
    figure = SvgFigure("history.svg", plots.svg(plots.history(epochs)), "Loss and accuracy by epoch")
    return Section("history", "Training", paragraphs=[f"{len(epochs)} epochs."], figures=[figure])
