"""Checks that rows and photos belong together: a sample of both, or all of them."""

import itertools
import os
from collections.abc import Iterator
from contextlib import closing, suppress

import sqlalchemy as sa

from daemon.actions.facts import FileFacts
from daemon.actions.inventory import Inventory
from daemon.actions.repair import RepairAction
from daemon.database import addresses, connections
from daemon.database.schema import companions, photos
from daemon.destinations.originals import OriginalMissing
from daemon.doctor.finding import CheckedRoot, Finding
from daemon.inbox.claims import Claims
from daemon.inbox.companions import CompanionRules
from daemon.photo import DUPLICATE, FAILED, FILED, OTHER, State
from daemon.queries.photo_rows import Photo, newest, reload
from models.errors import FoodsortError
from models.filenames import escape_name

_SAMPLE = 500
_PAGE = 100
_MOST_NAMED = 3
_PRESENT: tuple[State, ...] = (FILED, FAILED, DUPLICATE, OTHER)


def check(root: CheckedRoot, *, full: bool) -> Iterator[Finding]:
    """Compares rows with files, without changing either. full: all of them, not the newest rows and the first files."""
    try:
        address = addresses.database_url(root.path, root.settings.database.url)
        path = addresses.sqlite_file(address)
        if (path is not None and not path.exists()) or not root.inbox.is_dir():
            return
        with closing(Claims(root.inbox)) as claims:
            inventory = Inventory(root.path, root.settings, claims)
            engine = connections.connect_to_read(address)
            try:
                rules = CompanionRules(root.settings.watch.companion_endings, ignore_case=claims.ignores_case())
                yield _all(inventory, claims, engine, rules) if full else _sample(inventory, engine)
            finally:
                engine.dispose()
    except FoodsortError as error:
        yield Finding("rows", "problem", str(error))
    except (OSError, sa.exc.DBAPIError) as error:
        yield Finding("rows", "warning", f"rows and photos cannot be compared: {error}")


def _all(inventory: Inventory, claims: Claims, engine: sa.Engine, rules: CompanionRules) -> Finding:
    found = RepairAction(inventory, claims, engine, rules).preview()
    numbers = {
        "files without a row": found.counts["add"],
        "rows without their photo": found.counts["lose"],
        "photos that were moved": found.counts["move"],
        "photos that were changed": found.counts["change"],
        "two rows for one photo": found.counts["merge"],
        "companions without a row": found.companions["add"],
        "rows without their companion": found.companions["lose"],
        "companions that were moved": found.companions["move"] + found.companions["find"],
        "files that cannot be read": found.unreadable,
    }
    differences = [f"{what}: {number}" for what, number in numbers.items() if number]
    return _finding(differences, f"all {found.unchanged} rows and all files agree")


def _sample(inventory: Inventory, engine: sa.Engine) -> Finding:
    rows = newest(engine, _PRESENT, _SAMPLE)
    files = list(itertools.islice(inventory.files(), _SAMPLE))
    differences = [
        *_named("rows without their photo", [row.path for row in rows if _is_lost(inventory, engine, row)]),
        *_named("files without a row", [file.place for file in _without_row(inventory, engine, files)]),
    ]
    return _finding(differences, f"{len(rows)} rows and {len(files)} files agree; --full compares all")


def _is_lost(inventory: Inventory, engine: sa.Engine, row: Photo) -> bool:
    """Whether a photo is not at its place, and no action has moved it since its row was read."""
    return inventory.at(row.path) is None and reload(engine, row) == row


def _without_row(inventory: Inventory, engine: sa.Engine, files: list[FileFacts]) -> Iterator[FileFacts]:
    for start in range(0, len(files), _PAGE):
        page = files[start : start + _PAGE]
        names = {escape_name(os.path.basename(file.place)) for file in page}  # there is an index on it
        with engine.connect() as connection:
            paths = sa.union(*(sa.select(t.c.path_bytes).where(t.c.name.in_(names)) for t in (photos, companions)))
            known = set(connection.execute(paths).scalars())
        for file in page:
            # A photo that the daemon moves has its row already; one that was moved away meanwhile is missing here.
            with suppress(OriginalMissing):
                if file.place not in known and inventory.is_photo(file):
                    yield file


def _named(what: str, places: list[bytes]) -> Iterator[str]:
    if places:
        more = ", …" if len(places) > _MOST_NAMED else ""
        yield f"{what}: {len(places)} ({', '.join(map(escape_name, places[:_MOST_NAMED]))}{more})"


def _finding(differences: list[str], agreement: str) -> Finding:
    if not differences:
        return Finding("rows", "ok", agreement)
    message = "; ".join(differences)
    return Finding(
        "rows", "warning", f"{message}; `foodsort repair --dry-run` lists all, `foodsort repair` corrects the rows"
    )
