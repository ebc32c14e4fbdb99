"""The sections on a candidate against the live model: counts, changed photos, labels to give again."""

from collections.abc import Mapping
from typing import NamedTuple

from models.errors import ImageError
from models.filenames import escape_name
from models.images.decode import Within, decode
from models.intervals import wilson_interval
from models.judgement import Comparison, JudgedPhoto, Judgement
from models.plurals import is_or_are, plural
from training.evaluation.mistakes import MAX_CARDS, THUMBNAIL_PX, MistakeCard, jpeg_data_uri
from training.fitting.photo_file import open_photo
from training.report.document import Headline, Section, Table
from training.report.sections.formatting import percent, percent_interval

HEADER = ["photos", "number", "live right", "candidate right", "won", "lost", "p"]
VERDICTS = {"better": "better", "as_good": "as good", "worse": "worse", "too_few": "too few labels"}


class Boundaries(NamedTuple):
    """P(food) at or above which the live model and the candidate call a photo food."""

    live: float
    candidate: float

    def changes(self, photo: JudgedPhoto) -> bool:
        """Whether the two models label a photo differently."""
        return (photo.live >= self.live) != (photo.candidate >= self.candidate)


def headlines(judgement: Judgement) -> list[Headline]:
    """Returns the verdict and the counts that it rests on."""
    held_out, guard = judgement.held_out, judgement.guard
    return [
        Headline(VERDICTS[judgement.verdict], "against the live model", ""),
        Headline(f"+{held_out.won} −{held_out.lost}", f"of {held_out.n:,} labelled photos", f"p = {held_out.p:.2g}"),
        Headline(f"+{guard.won} −{guard.lost}", f"of {guard.n:,} photos of the guard", f"p = {guard.p:.2g}"),
        _audit_headline(judgement.audit),
    ]


def _audit_headline(audit: Comparison) -> Headline:
    if not audit.n:
        return Headline("–", "right of the audit sample, which is empty", "")
    interval = percent_interval(wilson_interval(audit.correct_candidate, audit.n), 1)
    return Headline(percent(audit.correct_candidate / audit.n, 1), f"right of {audit.n:,} photos at random", interval)


def rows(judgement: Judgement) -> list[list[str]]:
    """Returns the table of the counts, as `HEADER` names its columns."""
    sets = {"your labels": judgement.held_out, "at random": judgement.audit, "guard": judgement.guard}
    return [
        [
            name,
            f"{counts.n:,}",
            f"{counts.correct_live:,}",
            f"{counts.correct_candidate:,}",
            f"{counts.won:,}",
            f"{counts.lost:,}",
            f"{counts.p:.2g}" if counts.n else "",
        ]
        for name, counts in sets.items()
    ]


def judgement_section(judgement: Judgement, paths: Mapping[str, str], boundaries: Boundaries) -> Section:
    """Shows the counts, and the photos that the two models label differently.

    Args:
        judgement: The judgement.
        paths: The file of each photo by its SHA-256; empty: no photo is shown.
        boundaries: The thresholds of the two models.
    """
    changed = [photo for photo in judgement.photos if boundaries.changes(photo)]
    shown = min(len(changed), MAX_CARDS) if paths else 0
    return Section(
        anchor="judgement",
        title="Judgement",
        paragraphs=[
            judgement.reason,
            "The labelled photos are judged out of fold: by heads that had not seen the photo, its copies or its burst. "
            "Photos at random are the audit sample, from which no model ever learns. The guard comes with the bundle: "
            "photos on which no head was ever fitted. A photo is won if only the candidate is right, and lost if only "
            "the live model is; p is that of McNemar's exact test.",
            f"A label counts {judgement.weight} times as much as a photo of the bank: chosen by cross-validation, and "
            "lower where the guard would lose too much. The "
            f"two models label {len(changed):,} of these photos differently"
            + (f"; {shown} {is_or_are(shown)} shown." if shown else "."),
        ],
        tables=[Table(HEADER, rows(judgement))],
        cards=_cards(changed[:MAX_CARDS], paths),
    )


def asked_again_section(judgement: Judgement, paths: Mapping[str, str]) -> Section | None:
    """Shows the labels that did not count; None if all did."""
    chosen = set(judgement.asked_again)
    if not chosen:
        return None
    count = len(chosen)
    return Section(
        anchor="asked-again",
        title="Asked again",
        paragraphs=[
            f"{count:,} {plural(count, 'label')} did not count, because the model, out of fold, and most of the nearest "
            "photos say otherwise. A label counts when it is given once more."
        ],
        cards=_cards([photo for photo in judgement.photos if photo.sha256 in chosen][:MAX_CARDS], paths),
    )


def _cards(photos: list[JudgedPhoto], paths: Mapping[str, str]) -> list[MistakeCard]:
    cards = []
    for photo, path in ((photo, paths[photo.sha256]) for photo in photos if photo.sha256 in paths):
        try:
            with open_photo(path) as file:
                pixels = decode(file, Within(THUMBNAIL_PX)).pixels
        except (ImageError, OSError):  # moved or removed since it was judged
            continue
        cards.append(
            MistakeCard(
                name=escape_name(path.rpartition("/")[2]),
                label=photo.label,
                p_food=photo.candidate,
                source=f"P(food) by the live model {photo.live:.3f}; {photo.set.replace('_', ' ')}",
                photo=jpeg_data_uri(pixels),
                heat="",
            )
        )
    return cards
