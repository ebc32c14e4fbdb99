"""The cache folder: what foodsort can always fetch or make again, kept because that takes long."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The folder that systemd gives a service (CacheDirectory=), else the user's own (XDG_CACHE_HOME is honoured)."""
    given = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    return Path(given or platformdirs.user_cache_dir("foodsort"))


def private_folder(name: str) -> Path | None:
    """The folder `name` of the cache, made if missing, in which nobody else can write; None where there can be none.

    Who could write there could change what the network says.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stat = folder.lstat()
    except OSError:
        return None
    return folder if stat.st_uid == os.geteuid() and not stat.st_mode & 0o022 else None
