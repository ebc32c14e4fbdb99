"""How the page says things: labels, times, sizes, and how sure the model is."""

from collections.abc import Mapping
from datetime import date, datetime

import sqlalchemy as sa

from daemon.photo import State
from daemon.queries.explanations import EXPLANATIONS
from models.plurals import plural

LABELS = {"food": "food", "non_food": "not food", "unsure": "unsure", "failed": "failed"}

KINDS = {
    "empty": "The file is empty",
    "not_an_image": "Not a picture",
    "truncated": "The picture is cut off",
    "corrupt": "The picture is damaged",
    "too_large": "The picture is too large",
    "decoder_crashed": "The picture crashes what reads it",
    "decoder_timeout": "The picture takes too long to read",
}


def label(name: str | None) -> str:
    """A label as people say it."""
    return LABELS.get(name or "", name or "")


def kind(name: str | None) -> str:
    """Why a photo failed, in a few words."""
    return KINDS.get(name or "", (name or "failed").replace("_", " ").capitalize())


def place(state: State) -> str:
    """Where a photo is that is not in the folder of its label; empty where it is."""
    return EXPLANATIONS[state].place


def sure(certainty: float | None) -> str:
    """How sure the model is, as a share that is never rounded up to all."""
    if certainty is None:
        return ""
    return (
        ">99.9 %"
        if certainty > 0.999
        else f"{100 * certainty:.1f} %"
        if certainty > 0.99
        else f"{certainty:.0%}"[:-1] + " %"
    )


def share(probability: float) -> str:
    """P(food) in per cent, neither rounded up to all nor down to nothing."""
    if 0.0005 <= probability < 0.9995:
        return f"{100 * probability:.1f} %"
    return ">99.9 %" if probability > 0.5 else "<0.1 %"


def when(time: str | None) -> str:
    """A time of the database in this machine's time zone."""
    return f"{datetime.fromisoformat(time).astimezone():%-d %B %Y, %H:%M}" if time else ""


def size(size_bytes: int) -> str:
    """A size as people write it."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def count(number: int, what: str) -> str:
    """So many things, such as 1 photo, 2 photos."""
    return f"{number:,} {plural(number, what)}"


def counted(counts: Mapping[str, int]) -> str:
    """Photos by label, such as 12 food, 3 not food."""
    return ", ".join(f"{number:,} {label(name)}" for name, number in counts.items() if number) or "nothing"


def days(first: date, last: date) -> str:
    """A day, or days."""
    if first == last:
        return f"{first:%-d %B %Y}"
    return f"{first:%-d %b} to {last:%-d %b %Y}"


def lasting(seconds: float) -> str:
    """A short time."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def times(number: int) -> str:
    """How often."""
    return "once" if number == 1 else f"{number} times"


def facts(row: sa.RowMapping) -> list[tuple[str, str]]:
    """What is known of a photo, for a list of terms."""
    picture = f"{row['width']} × {row['height']}, {row['format']}, " if row["width"] else ""
    taken = f"{datetime.fromisoformat(row['taken_at']):%-d %B %Y, %H:%M}" if row["taken_at"] else ""
    said = [
        ("Lies at", row["path"] or ""),
        ("Came as", row["inbox_path"] if row["inbox_path"] != row["name"] else ""),
        ("Picture", picture + size(row["size_bytes"])),
        ("Taken", " ".join(filter(None, (taken, row["taken_offset"])))),
        ("Camera", row["camera"]),
        ("Sorted", when(row["classified_at"])),
        ("Model", row["model"]),
        ("Engine", row["engine"]),
        ("SHA-256", row["sha256"]),
    ]
    return [(term, value) for term, value in said if value]
