"""Check of the secrets in foodsort.toml: whether other users of the machine can read them."""

import shlex
import stat
import tomllib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from daemon.doctor.finding import CheckedRoot, Finding
from daemon.settings import FILE
from models.filenames import escape_name


def check(root: CheckedRoot) -> Finding:
    """Compares who may read the file with what it contains. Its group counts as trusted."""
    path = root.path / FILE
    names = _secrets(tomllib.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    if not names:
        return Finding("secrets", "ok", f"{FILE} has none")
    listed = " and ".join(names)
    if _is_public(path):
        fix = f"chmod 640 {shlex.quote(escape_name(str(path)))}"
        return Finding("secrets", "warning", f"every user of this machine can read {listed} in {path}; {fix}")
    return Finding("secrets", "ok", f"other users cannot read {listed}")


def _secrets(file: dict[str, Any]) -> list[str]:
    """Names the settings that hold a secret. The file is valid."""
    names = []
    try:
        url = sa.make_url(file.get("database", {}).get("url") or "sqlite://")
    except (ArgumentError, ValueError):  # the check of the database reports it
        url = sa.make_url("sqlite://")
    if url.password or "password" in url.query:
        names.append("the password in database.url")
    if file.get("web", {}).get("token"):
        names.append("web.token")
    return names


def _is_public(path: Path) -> bool:
    path = path.resolve()
    can_reach = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return can_reach and bool(path.stat().st_mode & stat.S_IROTH)
