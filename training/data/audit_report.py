"""The report of an audit: lines for the terminal, `audit.md` for people, `audit.json` for programs."""

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.filenames import escape_name
from models.plurals import plural
from training.data import layout
from training.data.audit import Audit, DuplicatePair
from training.data.dataset import CLASSES

_MAX_ROWS = 50  # of a table in audit.md; audit.json has all rows


def lines(audit: Audit) -> list[str]:
    """Returns the lines for the terminal: counts, files that were left out, duplicates, shortcuts, then each warning."""
    counts = (f"{split} {' + '.join(map(str, by_label.values()))}" for split, by_label in audit.counts.items())
    exact = sum(pair.exact for pair in audit.duplicates)
    return [
        f"photos (non_food + food): {', '.join(counts)}; {len(audit.unreadable)} unreadable; "
        f"{len(audit.left_out)} left out",
        *layout.lines(audit.left_out),
        *(f"note: {note}" for note in audit.notes),
        f"duplicates: {exact} exact, {len(audit.duplicates) - exact} near; "
        f"{len(audit.leaks)} {plural(len(audit.leaks), 'photo')} removed from training",
        *(
            f"accuracy from {shortcut.features} alone: {shortcut.accuracy:.1%} of validation "
            f"(more frequent label: {shortcut.majority:.1%})"
            for shortcut in audit.shortcuts
        ),
        *(f"warning: {warning}" for warning in audit.warnings),
    ]


def as_json(audit: Audit) -> dict[str, Any]:
    """Returns the contents of `audit.json`, with escaped paths."""
    return {
        "photos": audit.counts,
        "unreadable": [photo._asdict() | {"path": escape_name(photo.path)} for photo in audit.unreadable],
        "left_out": [
            {"reason": reason, "files": len(paths), "paths": [escape_name(path) for path in paths]}
            for reason, paths in layout.summary(audit.left_out)
        ],
        "notes": [escape_name(note) for note in audit.notes],
        "duplicates": [_pair_as_json(pair) for pair in audit.duplicates],
        "leaks": [_pair_as_json(pair) for pair in audit.leaks],
        "looks": [statistics._asdict() for statistics in audit.class_statistics],
        "shortcuts": [
            {
                "given": shortcut.features,
                "n": shortcut.n,
                "accuracy": shortcut.accuracy,
                "accuracy_ci95": shortcut.accuracy_ci95,
                "majority": shortcut.majority,
                "skill": shortcut.skill,
                "limit": shortcut.limit,
                "suspicious": shortcut.suspicious,
            }
            for shortcut in audit.shortcuts
        ],
        "one_sided": audit.one_sided_share,
        "warnings": audit.warnings,
    }


def _pair_as_json(pair: DuplicatePair) -> dict[str, Any]:
    return {
        "path": escape_name(pair.path),
        "label": pair.label,
        "split": pair.split,
        "twin": escape_name(pair.other_path),
        "twin_label": pair.other_label,
        "twin_split": pair.other_split,
        "bits": pair.bits,
        "exact": pair.exact,
    }


def as_markdown(audit: Audit) -> str:
    """Returns the contents of `audit.md`."""
    return "\n".join(
        [
            "# Audit of the data set\n",
            *_table(["split", *CLASSES], ((split, *counts.values()) for split, counts in audit.counts.items())),
            "## Warnings\n",
            *([f"- {warning}" for warning in audit.warnings] or ["None."]),
            *_one_sided(audit),
            "\n## Shortcuts: accuracy without the picture's content\n",
            "Shallow models are fitted on training and tested on validation. Skill is the share of the mistakes of",
            "always guessing the more frequent label that a model avoids.\n",
            *_shortcuts(audit),
            "## Size and format by label (medians)\n",
            *_class_statistics(audit),
            "## Removed from training: duplicates in validation or evaluation\n",
            *_duplicates(audit.leaks),
            "## All duplicates\n",
            *_duplicates(audit.duplicates),
            "## Unreadable\n",
            *_table(["path", "kind", "message"], audit.unreadable),
            "## Left out\n",
            *_table(["reason", "files", "such as"], left_out_rows(audit)),
            *(f"Note: {escape_name(note)}.\n" for note in audit.notes),
        ]
    )


def left_out_rows(audit: Audit) -> list[tuple[str, int, str]]:
    """Returns the reason, the number of files, and some of them, for each reason why files were left out."""
    return [(reason, len(paths), layout.examples(paths)) for reason, paths in layout.summary(audit.left_out)]


def write(out: Path, audit: Audit) -> None:
    """Writes `audit.md` and `audit.json` to the folder `out`; makes the folder if it is missing."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "audit.md").write_text(as_markdown(audit), encoding="utf-8")
    (out / "audit.json").write_text(json.dumps(as_json(audit), indent=2) + "\n", encoding="utf-8")


def _one_sided(audit: Audit) -> list[str]:
    if audit.one_sided_share is None:
        return []
    return [f"\nFrom sources with one label only: {audit.one_sided_share:.0%} of the photos."]


def _shortcuts(audit: Audit) -> list[str]:
    rows = (
        (
            shortcut.features,
            f"{shortcut.accuracy:.1%}",
            f"{shortcut.accuracy_ci95[0]:.1%} to {shortcut.accuracy_ci95[1]:.1%}",
            f"{shortcut.majority:.1%}",
            f"{shortcut.skill:.2f}",
            shortcut.limit,
        )
        for shortcut in audit.shortcuts
    )
    return _table(["features", "accuracy", "95 % interval", "more frequent label", "skill", "limit"], rows)


def _class_statistics(audit: Audit) -> list[str]:
    rows = (
        (
            statistics.label,
            statistics.width,
            statistics.height,
            statistics.bytes,
            f"{statistics.sharpness:.1f}",
            ", ".join(f"{name} {n}" for name, n in statistics.formats.items()),
        )
        for statistics in audit.class_statistics
    )
    return _table(["label", "width px", "height px", "bytes", "sharpness", "formats"], rows)


def _duplicates(pairs: list[DuplicatePair]) -> list[str]:
    rows = (
        (
            pair.path,
            CLASSES[pair.label],
            pair.other_path,
            CLASSES[pair.other_label],
            "same bytes" if pair.exact else pair.bits,
        )
        for pair in pairs
    )
    return _table(["path", "label", "duplicate", "its label", "bits that differ"], rows)


def _table(header: list[str], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    cells = [[html.escape(escape_name(str(cell)), quote=False).replace("|", "\\|") for cell in row] for row in rows]
    if not cells:
        return ["None.\n"]
    more = [f"\n… and {len(cells) - _MAX_ROWS} more, in audit.json."] if len(cells) > _MAX_ROWS else []
    return [_row(header), _row(["---"] * len(header)), *map(_row, cells[:_MAX_ROWS]), *more, ""]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
