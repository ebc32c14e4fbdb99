"""Names in the inbox that are never photos."""

import fnmatch
import os
import re

IGNORED = (
    ".*",  # .DS_Store, ._*, .stfolder, .foodsort and the hidden names that rsync and others write to
    "*.part",
    "*.tmp",
    "*.crdownload",
    "*.filepart",
    "*.partial",
    "*.opdownload",
    "*.!qb",
    "*.error.json",  # error sidecars that were moved back together with their photos
    "thumbs.db",
    "desktop.ini",
    "@eadir",
    "__macosx",
    "#recycle",
    "@recycle",
    "$recycle.bin",
)
"""Shell patterns in lower case."""


class IgnoreRules:
    """Shell patterns for names that are not photos, such as hidden and partial files. Letter case does not matter.

    A folder whose name is ignored is ignored with everything in it.
    """

    def __init__(self, patterns: tuple[str, ...] = ()) -> None:
        """Adds the patterns of the settings to IGNORED."""
        shell_patterns = (*IGNORED, *(pattern.lower() for pattern in patterns))
        self._ignored = re.compile("|".join(map(fnmatch.translate, shell_patterns)))

    def __call__(self, name: bytes) -> bool:
        """Whether a name is ignored."""
        return self._ignored.match(os.fsdecode(name).lower()) is not None

    def path(self, path: bytes) -> bool:
        """Whether any part of a relative path is ignored."""
        return any(map(self, path.split(b"/")))
