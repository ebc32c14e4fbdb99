"""Reads a person's labels from a data set: which photo has which label, and which are the audit sample."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from training.data import dataset, manifest


class LabelledPhoto(NamedTuple):
    """A photo of a data set.

    Attributes:
        path: Its path.
        label: 1 = food.
        is_audit: Whether it belongs to the audit sample, which is never learned from: split `evaluation`.
        taken_at: When it was taken, `YYYY-MM-DDTHH:MM:SS`, or "".
        camera: The camera, or "".
        asked: How often a person has labelled it, ≥ 1.
    """

    path: str
    label: int
    is_audit: bool
    taken_at: str
    camera: str
    asked: int


class Labels(NamedTuple):
    """A data set of labels, in its order, and sentences about what was left out."""

    photos: list[LabelledPhoto]
    notes: list[str]


def read(data: Sequence[Path]) -> Labels:
    """Reads data sets in any layout; a manifest may have the columns taken_at, camera and asked.

    Raises:
        DatasetError: A data set does not exist, has no photo at all, or a manifest has a bad row.
    """
    survey = dataset.survey(data, whole=False)
    if survey.photos.empty:
        names = " and ".join(map(str, data))
        raise dataset.DatasetError(
            "\n".join([f"{names} has no labelled photo to learn from; label some first", *survey.lines])
        )
    details = {path: row for one in data for path, row in _rows(one)}
    columns = (survey.photos[name] for name in ("path", "label", "split"))
    photos = [
        LabelledPhoto(
            path=path,
            label=int(label),
            is_audit=split == "evaluation",
            taken_at=details.get(path, {}).get("taken_at", ""),
            camera=details.get(path, {}).get("camera", ""),
            asked=_asked(details.get(path, {}).get("asked", "")),
        )
        for path, label, split in zip(*columns, strict=True)
    ]
    return Labels(photos, survey.lines)


def _rows(data: Path) -> Iterable[tuple[str, dict[str, str]]]:
    table = data if data.is_file() else manifest.find_in(data, is_data_set=False).path
    if table is not None:
        for _, row in manifest.read_rows(table, {"path"}):
            yield manifest.locate(table, row["path"]), row


def _asked(text: str) -> int:
    return max(1, int(text)) if text.isdecimal() else 1


def without_copies(photos: Sequence[LabelledPhoto], sha256s: Sequence[str]) -> tuple[list[int], int]:
    """Chooses one photo of all exact copies: an audit photo, else the most often labelled, else the last.

    Args:
        photos: The photos (n).
        sha256s: Their SHA-256 (n).

    Returns:
        The rows that stay, ascending, and the number of photos whose copies have another label.
    """
    chosen: dict[str, int] = {}
    labels: dict[str, set[int]] = {}
    for row, (photo, sha256) in enumerate(zip(photos, sha256s, strict=True)):
        labels.setdefault(sha256, set()).add(photo.label)
        earlier = chosen.setdefault(sha256, row)
        if _rank(photo) >= _rank(photos[earlier]):
            chosen[sha256] = row
    return sorted(chosen.values()), sum(len(own) > 1 for own in labels.values())


def _rank(photo: LabelledPhoto) -> tuple[bool, int]:
    return photo.is_audit, photo.asked
