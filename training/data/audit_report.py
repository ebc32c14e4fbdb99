"""An audit as people and programs read it: lines for the terminal, `audit.md`, `audit.json`."""

import dataclasses
import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.filenames import escape_name
from training.data.audit import Audit, Twins
from training.data.dataset import CLASSES

_LISTED = 50  # rows of a table that is there to be read; audit.json has them all


def lines(audit: Audit) -> list[str]:
    """What is worth reading before a training: counts, twins, what the shallow models reach, then each warning."""
    counts = (f"{split} {' + '.join(map(str, of.values()))}" for split, of in audit.photos.items())
    exact = sum(one.exact for one in audit.duplicates)
    return [
        f"photos (non_food + food): {', '.join(counts)}; {len(audit.unreadable)} unreadable",
        f"twins: {exact} exact, {len(audit.duplicates) - exact} near; {len(audit.leaks)} photos leave training for them",
        *(
            f"told from {one.given} alone: {one.accuracy:.1%} of validation (commoner label: {one.majority:.1%})"
            for one in audit.shortcuts
        ),
        *(f"warning: {warning}" for warning in audit.warnings),
    ]


def as_json(audit: Audit) -> dict[str, Any]:
    """The contents of `audit.json`: every field of Audit but its frame, rows as objects, paths as `escape_name` prints them."""
    found = {field.name: getattr(audit, field.name) for field in dataclasses.fields(audit) if field.name != "frame"}
    return {name: [_object(row) for row in part] if isinstance(part, list) else part for name, part in found.items()}


def as_markdown(audit: Audit) -> str:
    """The contents of `audit.md`."""
    return "\n".join(
        [
            "# Audit of the data set\n",
            *_table(["split", *CLASSES], ((split, *counts.values()) for split, counts in audit.photos.items())),
            "## Warnings\n",
            *([f"- {warning}" for warning in audit.warnings] or ["None."]),
            *(
                []
                if audit.one_sided is None
                else [f"\nFrom sources with one label alone: {audit.one_sided:.0%} of the photos."]
            ),
            "\n## Told without looking at the picture\n",
            "Shallow models fitted on training and judged on validation. Skill: the share of the mistakes of always",
            "guessing the commoner label that they avoid.\n",
            *_table(
                ["given", "right", "95 % interval", "commoner label", "skill", "limit"],
                (
                    (
                        one.given,
                        f"{one.accuracy:.1%}",
                        f"{one.accuracy_ci95[0]:.1%} to {one.accuracy_ci95[1]:.1%}",
                        f"{one.majority:.1%}",
                        f"{one.skill:.2f}",
                        one.limit,
                    )
                    for one in audit.shortcuts
                ),
            ),
            "## Size and format by label (medians)\n",
            *_table(
                ["label", "width px", "height px", "bytes", "sharpness", "formats"],
                (
                    (*one[:4], f"{one.sharpness:.1f}", ", ".join(f"{name} {n}" for name, n in one.formats.items()))
                    for one in audit.looks
                ),
            ),
            "## Left training: in validation or evaluation too\n",
            *_twins(audit.leaks),
            "## All twins\n",
            *_twins(audit.duplicates),
            "## Unreadable\n",
            *_table(["path", "kind", "message"], audit.unreadable),
        ]
    )


def write(out: Path, audit: Audit) -> None:
    """Writes `audit.md` and `audit.json` to the folder `out`, which is made if missing."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "audit.md").write_text(as_markdown(audit), encoding="utf-8")
    (out / "audit.json").write_text(json.dumps(as_json(audit), indent=2) + "\n", encoding="utf-8")


def _twins(twins: list[Twins]) -> list[str]:
    rows = (
        (one.path, CLASSES[one.label], one.twin, CLASSES[one.twin_label], "same bytes" if one.exact else one.bits)
        for one in twins
    )
    return _table(["path", "label", "twin", "its label", "bits apart"], rows)


def _table(head: list[str], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    cells = [[html.escape(escape_name(str(cell)), quote=False).replace("|", "\\|") for cell in row] for row in rows]
    if not cells:
        return ["None.\n"]
    more = [f"\n… and {len(cells) - _LISTED} more, in audit.json."] if len(cells) > _LISTED else []
    return [_row(head), _row(["---"] * len(head)), *map(_row, cells[:_LISTED]), *more, ""]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _object(row: Any) -> Any:
    if not hasattr(row, "_asdict"):  # a warning
        return row
    return {name: escape_name(value) if name in {"path", "twin"} else value for name, value in row._asdict().items()}
