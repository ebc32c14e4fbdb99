"""The cache folder: files that foodsort could fetch or create again, kept to save time."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Returns systemd's cache folder of the service (CacheDirectory=), else the user's own (by XDG_CACHE_HOME)."""
    of_service = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    return Path(of_service or platformdirs.user_cache_dir("foodsort"))


def private_folder(name: str) -> Path | None:
    """Creates a folder of the cache that only this user can write to: another writer could change the predictions.

    Returns:
        The folder, or None where it cannot be created or others can write to it.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stat = folder.lstat()
    except OSError:
        return None
    return folder if stat.st_uid == os.geteuid() and not stat.st_mode & 0o022 else None
