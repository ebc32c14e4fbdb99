"""Reads the folders of a data set: the photos of a split with their labels, and what is left out."""

from pathlib import Path

from training.data import layout
from training.data.layout import LeftOut, Reason
from training.data.listing import list_files
from training.data.manifest import SPLITS, DatasetError


def photos(folder: Path) -> tuple[list[tuple[Path, int]], list[LeftOut]]:
    """Returns path and label of each photo of a split in the order of the paths, and what is left out.

    Raises:
        DatasetError: Names and folders both give labels.
    """
    if not folder.exists():
        return [], []
    files, left_out = list_files(folder)
    assigned = layout.assign([path.relative_to(folder).parts for path in files])
    _refuse_two_layouts(folder, files, assigned)
    labelled = []
    for path, label in zip(files, assigned, strict=True):
        if isinstance(label, Reason):
            left_out.append(LeftOut(str(path), label))
        else:
            labelled.append((path, label))
    return labelled, left_out


def _refuse_two_layouts(folder: Path, files: list[Path], assigned: list[int | Reason]) -> None:
    """Raises DatasetError when names and folders both give labels."""
    by_name = [
        path
        for path, label in zip(files, assigned, strict=True)
        if label is Reason.NAME_BESIDE_FOLDERS and layout.is_labelled(path.name)
    ]
    if by_name:
        raise DatasetError(
            f"{folder} has both photos like {by_name[0].relative_to(folder)} and folders of classes; move the photos so "
            "that either all names or all folders give the label"
        )


def outside(data: Path) -> list[LeftOut]:
    """Returns what lies beside the folders of the splits."""
    files, left_out = list_files(data, without={data / split for split in SPLITS})
    for path in files:
        left_out.append(LeftOut(str(path), Reason.OUTSIDE if layout.is_picture(path.name) else Reason.NO_PICTURE))
    return left_out
