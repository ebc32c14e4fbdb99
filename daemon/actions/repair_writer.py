"""Writes the steps of `foodsort repair` to the database, each list of them in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from daemon.actions.facts import Differences, FileFacts, RowFacts, Step
from daemon.actions.inventory import Inventory
from daemon.database.rows import FINAL_STATE, PhotoRow, path_columns
from daemon.database.schema import (
    batches,
    companions,
    events,
    judgements,
    models,
    originals,
    photos,
    reclassifications,
    reviews,
)
from daemon.database.timestamps import format_time
from daemon.destinations import sidecar
from daemon.photo import DUPLICATE, FAILED, FILED, MISSING, OTHER, RETRY, UNDONE, Failure, Prediction
from models.filenames import escape_name

if TYPE_CHECKING:
    from models.images.decode import Picture

Classifier = Callable[[Sequence[int]], "Sequence[tuple[Picture, Prediction] | Failure]"]
"""Classifies open photos."""

_Kind = Literal["lost", "inbox", "placed", "labelled"]
"""What a change makes of a row's state: missing; as its photo in the inbox needs it; as its failure or original say; or
filed, since it is in the folder of a label."""

_PREFIX = "new_"
LABEL_FOLDERS = ("food", "non_food", "unsure")
ENGINE = "repair"
"""Names in the columns `engine` and `model` what labelled a photo by the folder that it is in."""

_UNKNOWN = Failure("unknown", "foodsort repair found the file here; its row and its reason were lost")
_BY_FOLDER_SHA256 = "0" * 64


class RepairWriter:
    """Changes rows of one root."""

    def __init__(
        self,
        inventory: Inventory,
        engine: sa.Engine,
        *,
        classifier: Classifier | None = None,
        model_id: int = 0,
        engine_name: str = ENGINE,
    ) -> None:
        """Prepares the writer.

        Args:
            inventory: The files.
            engine: The database.
            classifier: Classifies photos without a row; None: their folder is their label.
            model_id: The row of the classifier's model.
            engine_name: The engine that runs it.
        """
        self._inventory = inventory
        self._engine = engine
        self._classifier = classifier
        self._model_id = model_id
        self._engine_name = engine_name

    def write(self, steps: list[Step]) -> None:
        """Writes steps of one action. A row that somebody else has changed meanwhile stays as it is."""
        if steps[0].action == "add":
            self._add([step.file for step in steps if step.file])
            return
        updates: dict[_Kind, list[dict[str, Any]]] = {}
        with self._engine.begin() as connection:
            for step in steps:
                assert step.row is not None
                if step.into is not None:
                    _merge(connection, step.row, step.into)
                else:
                    kind, values = self._values(step, step.row)
                    updates.setdefault(kind, []).append({"row_id": step.row.id, "row_state": step.row.state} | values)
            for kind, rows in updates.items():
                connection.execute(_update(kind, rows[0]), rows)

    def write_one(self, connection: sa.Connection, step: Step) -> bool:
        """Writes a step `move` or `lose` in the caller's transaction.

        Returns:
            Whether the row was still in the state in which it was read.
        """
        assert step.row is not None
        kind, values = self._values(step, step.row)
        row = {"row_id": step.row.id, "row_state": step.row.state} | values
        return bool(connection.execute(_update(kind, row), row).rowcount)

    def write_event(self, differences: Differences) -> None:
        """Records that the rows agree with the folders, after the last step."""
        counts = differences.counts
        message = (
            f"foodsort repair compared the rows with the folders: {counts['add']} added, {counts['lose']} missing,"
            f" {counts['merge']} merged, {counts['move']} moved, {counts['change']} changed;"
            f" {differences.unchanged} unchanged"
        )
        event = {"at": _now(), "kind": "repaired", "path": None, "message": message}
        with self._engine.begin() as connection:
            connection.execute(events.insert().values(event))

    def _values(self, step: Step, row: RowFacts) -> tuple["_Kind", dict[str, Any]]:
        """The kind of a change, and its values by column, each with a prefix as parameters need it."""
        file = step.file
        if file is None:
            return "lost", {}
        columns = {"identity": file.identity, "size_bytes": file.size_bytes, "modified_at": file.modified_at}
        if file.sha256 is not None and step.action in {"change", "move"}:
            columns["sha256"] = file.sha256
        kind: _Kind = "inbox" if row.state in {UNDONE, RETRY} else "placed"
        if step.action == "move":
            columns |= path_columns(file.place)
            if file.folder == "inbox":
                path = self._inventory.path_in_folder(file)
                columns |= {"state": UNDONE if row.state == UNDONE else RETRY}
                columns |= {"inbox_path_bytes": path, "inbox_path": escape_name(path)}
                kind = "inbox"
            else:
                columns["filed_at"] = _now()
                kind = "labelled" if file.folder in LABEL_FOLDERS else "placed"
        values: dict[str, Any] = {_PREFIX + name: value for name, value in columns.items()}
        return kind, values | ({"folder": file.folder} if kind == "labelled" else {})

    def _add(self, files: list[FileFacts]) -> None:
        """Adds a row for each file, in one batch."""
        now = _now()
        outcomes = self._classify(files)
        with self._engine.begin() as connection:
            batch = {"started_at": now, "photos": len(files), "engine": self._engine_name, "inference_ms": 0.0}
            batch_id = connection.execute(batches.insert().values(batch).returning(batches.c.id)).scalar_one()
            shared = {"batch_id": batch_id, "model_id": self._model_id or _model_by_folder(connection), "filed_at": now}
            # Exact copies last: they name the row of their original.
            for is_copy, group in groupby(files, key=lambda file: file.folder == "duplicates"):
                rows = [
                    self._row(file, now).columns()
                    | (_original(connection, file) if is_copy else self._outcome(file, outcomes))
                    | shared
                    for file in group
                ]
                connection.execute(photos.insert(), rows)

    def _outcome(self, file: FileFacts, outcomes: Mapping[bytes, dict[str, Any]]) -> dict[str, Any]:
        """The columns that depend on what a photo is: failed, no image, classified, or labelled by its folder."""
        if file.folder == "failed":
            return self._failure(file)
        if file.folder == "other":
            return {"state": OTHER}
        return outcomes.get(file.place, {"predicted_label": file.folder}) | {"state": FILED}

    def _row(self, file: FileFacts, now: str) -> PhotoRow:
        return PhotoRow(
            path=file.place,
            inbox_path=self._inventory.path_in_folder(file),
            run_id=ENGINE,
            identity=file.identity,
            sha256=file.sha256 or "",
            size_bytes=file.size_bytes,
            modified_at=file.modified_at,
            claimed_at=now,
        )

    def _failure(self, file: FileFacts) -> dict[str, Any]:
        """The columns of a failed photo, from its error sidecar."""
        with self._inventory.destinations.open_folder(file.place) as (folder, name):
            document = sidecar.read(folder, name, file.sha256 or "")
        return {
            "state": FAILED,
            "error_kind": document.get("kind", _UNKNOWN.kind)[:32],
            "error_message": document.get("message", _UNKNOWN.message),
            "attempts": document.get("attempts", 1),
            "first_failed_at": document.get("first_failed_at"),
        }

    def _classify(self, files: list[FileFacts]) -> dict[bytes, dict[str, Any]]:
        """The columns of the photos that the model could classify, by their places."""
        if self._classifier is None:
            return {}
        columns: dict[bytes, dict[str, Any]] = {}
        with ExitStack() as opened:
            labelled = [file for file in files if file.folder in LABEL_FOLDERS]
            streams = [opened.enter_context(self._inventory.open(file)) for file in labelled]
            outcomes = self._classifier([stream.fileno() for stream in streams])
        for file, outcome in zip(labelled, outcomes, strict=True):
            if not isinstance(outcome, Failure):
                columns[file.place] = _classified(*outcome) | {"classified_at": _now()}
        return columns


def _update(kind: _Kind, row: Mapping[str, Any]) -> sa.Update:
    """An update of rows by the parameters that `row` has."""
    p = photos.c
    columns: dict[str, Any] = {
        name.removeprefix(_PREFIX): sa.bindparam(name) for name in row if name.startswith(_PREFIX)
    }
    if kind == "lost":
        columns["state"] = MISSING
    elif kind == "placed":
        columns["state"] = FINAL_STATE
    elif kind == "labelled":
        # The label of a photo that had none is where a person put it.
        label = sa.func.coalesce(p.predicted_label, sa.bindparam("folder"))
        columns |= {"state": FILED, "predicted_label": label}
        columns |= {"error_kind": None, "error_message": None, "duplicate_of": None}
    return photos.update().where(p.id == sa.bindparam("row_id"), p.state == sa.bindparam("row_state")).values(columns)


def _classified(picture: "Picture", prediction: Prediction) -> dict[str, Any]:
    camera = picture.exif.camera
    return {
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "taken_at": picture.exif.taken_at,
        "taken_offset": picture.exif.taken_offset,
        "camera": escape_name(camera) if camera else camera,
        "logit": prediction.logit,
        "look": prediction.look,
        "probability": prediction.probability,
        "predicted_label": prediction.label,
    }


def _original(connection: sa.Connection, file: FileFacts) -> dict[str, Any]:
    """The columns that an exact copy has from its original, the newest filed photo of the same bytes."""
    p = photos.c
    query = sa.select(p.id, p.predicted_label).where(p.sha256 == file.sha256, p.state == FILED).order_by(p.id.desc())
    original = connection.execute(query.limit(1)).first()
    columns = {"duplicate_of": original.id, "predicted_label": original.predicted_label} if original else {}
    return {"state": DUPLICATE, **columns}


def _merge(connection: sa.Connection, row: RowFacts, into: int) -> None:
    """Gives the labels, companions, originals and copies of a row to another one and deletes it."""
    p = photos.c
    connection.execute(reviews.update().where(reviews.c.photo_id == row.id).values(photo_id=into))
    connection.execute(companions.update().where(companions.c.photo_id == row.id).values(photo_id=into))
    connection.execute(originals.update().where(originals.c.photo_id == row.id).values(photo_id=into))
    for table in (judgements, reclassifications):  # of the row that stays, its own count
        connection.execute(table.delete().where(table.c.photo_id == row.id))
    connection.execute(photos.update().where(p.duplicate_of == row.id).values(duplicate_of=sa.func.nullif(into, p.id)))
    message = f"the rows {row.id} and {into} were about one photo; row {into} stays"
    event = {"at": _now(), "kind": "merged", "path": escape_name(row.place), "message": message}
    connection.execute(events.insert().values(event))
    connection.execute(photos.delete().where(p.id == row.id))


def _model_by_folder(connection: sa.Connection) -> int:
    """The row that stands for the model of photos whose label is their folder."""
    query = sa.select(models.c.id).where(models.c.sha256 == _BY_FOLDER_SHA256)
    found = connection.execute(query).scalar()
    if found is not None:
        return int(found)
    row = {"sha256": _BY_FOLDER_SHA256, "name": ENGINE, "card": "{}", "first_used_at": _now()}
    return int(connection.execute(models.insert().values(row).returning(models.c.id)).scalar_one())


def _now() -> str:
    return format_time(datetime.now(UTC))
