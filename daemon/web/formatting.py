"""Text for labels, times, sizes, and how sure the model is."""

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from daemon.photo import State
from daemon.queries.companions import CompanionRow
from daemon.queries.explanations import EXPLANATIONS
from daemon.queries.results import ResultRow
from models.plurals import plural

LABELS = {"food": "food", "non_food": "not food", "unsure": "unsure", "failed": "failed"}

KINDS = {
    "empty": "The file is empty",
    "not_an_image": "Not a picture",
    "truncated": "The picture is cut off",
    "corrupt": "The picture is damaged",
    "unsupported": "The picture is of a kind that foodsort cannot read",
    "too_large": "The picture is too large",
    "decoder_crashed": "The picture crashes the decoder",
    "decoder_timeout": "The picture takes too long to decode",
}


def label(name: str | None) -> str:
    """A label's name for people."""
    return LABELS.get(name or "", name or "")


def error_kind(name: str | None) -> str:
    """Why a photo failed, in a few words."""
    return KINDS.get(name or "", (name or "failed").replace("_", " ").capitalize())


def place(state: State) -> str:
    """Where a photo is; empty if it is in the folder of its label."""
    return EXPLANATIONS[state].place


def certainty(value: float | None) -> str:
    """The model's certainty in per cent, never rounded up to 100."""
    if value is None:
        return ""
    if value > 0.999:
        return ">99.9 %"
    return f"{100 * value:.1f} %" if value > 0.99 else f"{100 * value:.0f} %"


def probability(value: float) -> str:
    """A probability in per cent, rounded neither up to 100 nor down to 0."""
    if 0.0005 <= value < 0.9995:
        return f"{100 * value:.1f} %"
    return ">99.9 %" if value > 0.5 else "<0.1 %"


def local_time(time: str | None) -> str:
    """A time of the database in this machine's time zone."""
    return f"{datetime.fromisoformat(time).astimezone():%-d %B %Y, %H:%M}" if time else ""


def size(size_bytes: int) -> str:
    """A size with its unit, to three digits."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def count(number: int, noun: str) -> str:
    """A number and its noun, such as 1 photo, 2 photos."""
    return f"{number:,} {plural(number, noun)}"


def label_counts(counts: Mapping[str, int]) -> str:
    """Numbers of photos by label, such as 12 food, 3 not food."""
    return ", ".join(f"{number:,} {label(name)}" for name, number in counts.items() if number) or "nothing"


def date_range(first: date, last: date) -> str:
    """One day, or the first and the last of several."""
    if first == last:
        return f"{first:%-d %B %Y}"
    return f"{first:%-d %b} to {last:%-d %b %Y}"


def sentence(text: str) -> str:
    """A text as a sentence: with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def duration(seconds: float) -> str:
    """A duration in ms, s or min."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def times(number: int) -> str:
    """How often, such as once, 2 times."""
    return "once" if number == 1 else f"{number} times"


def facts(row: ResultRow, companions: Sequence[CompanionRow] = ()) -> list[tuple[str, str]]:
    """Terms and values about a photo and its companions; only those with a value."""
    picture = f"{row['width']} × {row['height']}, {row['format']}, " if row["width"] else ""
    taken = f"{datetime.fromisoformat(row['taken_at']):%-d %B %Y, %H:%M}" if row["taken_at"] else ""
    facts = [
        ("Path", row["path"] or ""),
        ("Original path", row["inbox_path"] if row["inbox_path"] != row["name"] else ""),
        ("Companions", ", ".join(f"{os.path.basename(one['path'])} ({size(one['size_bytes'])})" for one in companions)),
        ("Picture", picture + size(row["size_bytes"])),
        ("Taken", " ".join(filter(None, (taken, row["taken_offset"])))),
        ("Camera", row["camera"]),
        ("Sorted", local_time(row["classified_at"])),
        ("Model", row["model"]),
        ("Engine", row["engine"]),
        ("SHA-256", row["sha256"]),
    ]
    return [(term, value) for term, value in facts if value]
