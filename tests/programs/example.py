"""The small database of docs/database.md, from readable rows."""

import hashlib
import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from daemon.database import connections, schema
from daemon.database.rows import path_columns
from daemon.database.timestamps import format_time

MODELS = """
id  name                            first_used_at        temperature  threshold  unsure_low  unsure_high
1   foodsort-resnet50@3c9f12ab04de  2026-11-23T17:59:58  1.1          0.5        0.2         0.8
2   mine@7d01e4b2c66a               2026-11-25T08:04:50  1.3          0.5        0.3         0.7
"""

BATCHES = """
id  started_at           photos  engine      inference_ms
1   2026-11-23T18:00:02  4       openvino    30.0
2   2026-11-24T07:15:40  3       openvino    24.0
3   2026-11-24T12:40:10  5       openvino    36.0
4   2026-11-25T08:05:03  4       tensorflow  100.0
5   2026-11-25T08:50:21  2       tensorflow  70.0
"""

# MB: size. s: seconds from claimed to filed. A photo with a number in its name has the bytes of the one without.
PHOTOS = """
from            MB     taken                      camera         claimed              s     batch  P(food)  label     state
trip/soup.jpg   2.4    2026-07-01T18:30:00+02:00  Canon EOS 80D  2026-11-23T18:00:00  2.5   1      0.998    food      filed
trip/sea.jpg    3.1    2026-07-02T09:12:44+02:00  Canon EOS 80D  2026-11-23T18:00:00  2.5   1      0.012    non_food  filed
trip/fair.jpg   2.9    2026-07-02T11:05:10+02:00  Canon EOS 80D  2026-11-23T18:00:01  1.5   1      0.612    food      filed
trip/cut.jpg    0.9    (none)                     (none)         2026-11-23T18:00:01  1.5   1      (none)   (none)    failed
breakfast.heic  1.2    2026-11-24T07:14:02        iPhone 15      2026-11-24T07:15:38  2.25  2      0.987    food      filed
dog.heic        1.3    2026-11-24T07:15:09        iPhone 15      2026-11-24T07:15:38  2.25  2      0.031    non_food  filed
notes.txt       0.002  (none)                     (none)         2026-11-24T07:15:39  1.25  2      (none)   (none)    failed
curry.jpg       2.1    2026-11-24T12:31:00        iPhone 15      2026-11-24T12:40:02  8.5   3      0.964    food      filed
candle.jpg      1.8    2026-11-24T12:32:20        iPhone 15      2026-11-24T12:40:03  7.5   3      0.541    food      filed
scan/menu.png   0.4    (none)                     (none)         2026-11-24T12:40:09  1.5   3      0.274    non_food  filed
scan/old.png    0.5    (none)                     (none)         2026-11-24T12:40:09  1.5   3      (none)   (none)    failed
soup (2).jpg    2.4    2026-07-01T18:30:00+02:00  Canon EOS 80D  2026-11-24T12:40:09  1.5   3      0.998    food      filed
lunch.jpg       2.2    2026-11-25T08:01:30        Pixel 8        2026-11-25T08:05:00  3.75  4      0.871    food      filed
plate.jpg       2.3    2026-11-25T08:02:11        Pixel 8        2026-11-25T08:05:00  3.75  4      0.458    non_food  filed
cat.jpg         1.9    2026-11-25T08:03:40        Pixel 8        2026-11-25T08:05:01  2.75  4      0.004    non_food  filed
street.jpg      2.0    2026-11-25T08:04:15        Pixel 8        2026-11-25T08:05:01  2.75  4      0.158    non_food  undone
tea.jpg         1.7    2026-11-25T08:48:00        Pixel 8        2026-11-25T08:50:20  1.5   5      0.93     food      filed
sea (2).jpg     3.1    2026-07-02T09:12:44+02:00  Canon EOS 80D  2026-11-25T08:50:20  1.5   5      0.012    non_food  duplicate
"""

SYNCED = "Pixel 8"

FAILURES = """
from          error_kind    error_message
trip/cut.jpg  truncated     the image ends in its header; copy the file again
scan/old.png  truncated     the image ends in its header; copy the file again
notes.txt     not_an_image  not an image in a supported format (JPEG, PNG, WebP, GIF, TIFF, BMP, HEIC, AVIF, JPEG XL, JPEG 2000, JPEG-LS, camera raw)
"""

REVIEWS = """
from           label     reviewed_at
trip/soup.jpg  food      2026-11-24T20:10:00
trip/fair.jpg  non_food  2026-11-24T20:10:31
candle.jpg     non_food  2026-11-24T20:11:02
scan/menu.png  food      2026-11-24T20:12:40
dog.heic       non_food  2026-11-24T20:13:05
plate.jpg      non_food  2026-11-25T09:00:10
plate.jpg      food      2026-11-25T09:00:15
lunch.jpg      food      2026-11-25T09:00:40
"""

EVENTS = """
at                   kind     path           message
2026-11-23T17:58:12  polling  (none)         a file was written and no event arrived; the inbox is scanned every 5 s instead
2026-11-24T12:39:50  skipped  trip/link.jpg  is no regular file (a link, FIFO, socket or device), so it stays
2026-11-25T08:04:58  refused  private.jpg    cannot be read: Permission denied; it stays in the inbox
"""

ATTEMPTS = {"trip/cut.jpg": 3, "scan/old.png": 2, "tea.jpg": 2}
FORMATS = {"jpg": "JPEG", "png": "PNG", "heic": "HEIF"}
FOLDERS = {"failed": "failed", "undone": "inbox", "duplicate": "duplicates"}


def fill(address: sa.URL) -> None:
    """Makes the database with its rows."""
    models, batches, reviews = (list(rows(table)) for table in (MODELS, BATCHES, REVIEWS))
    ids = {row["from"]: number for number, row in enumerate(rows(PHOTOS), 1)}
    for model in models:
        model |= {"sha256": digest(model["name"]), "card": "{}"}
    for review in reviews:
        review["photo_id"] = ids[review.pop("from")]
    failures = {row.pop("from"): row for row in rows(FAILURES)}
    batch = {row["id"]: row for row in batches}
    photos = [photo(row, ids, failures.get(row["from"], {})) for row in rows(PHOTOS)]
    for row in photos:
        row |= moved(row, ids, reviews)
        row["model_id"] = 1 + (batch[row["batch_id"]]["engine"] == "tensorflow")
    engine = connections.connect(address)
    with engine.begin() as connection:
        for table, found in (
            (schema.models, models),
            (schema.batches, batches),
            (schema.photos, photos),
            (
                schema.originals,
                [original(number, row) for number, row in enumerate(photos, 1) if row["camera"] == SYNCED],
            ),
            (schema.reviews, reviews),
            (schema.events, list(rows(EVENTS))),
        ):
            connection.execute(table.insert(), found)
    engine.dispose()


def photo(row: dict[str, Any], ids: dict[str, int], failure: dict[str, Any]) -> dict[str, Any]:
    """Columns of the table `photos`, but for the model."""
    source, state, p = row["from"], row["state"], row["P(food)"]
    first = next(name for name in ids if name.endswith(source.replace(" (2)", "")))
    filed_at = later(row["claimed"], row["s"])
    judged_at = later(row["claimed"], row["s"] - 0.25)
    taken = row["taken"] or ""
    facts = {"inbox_path": source, "inbox_path_bytes": source.encode(), "generation": "1-1"}
    facts |= {"identity": f"1:{ids[source]}", "sha256": digest(first), "size_bytes": round(1e6 * row["MB"])}
    facts |= {"modified_at": row["claimed"], "claimed_at": row["claimed"], "filed_at": filed_at}
    facts |= {"batch_id": row["batch"], "state": state, "attempts": ATTEMPTS.get(source, 1)}
    facts |= {"duplicate_of": ids[first] if state == "duplicate" else None, "predicted_label": row["label"]}
    facts |= {"taken_at": taken[:19] or None, "taken_offset": taken[19:] or None, "camera": row["camera"]}
    facts |= {"probability": p, "logit": p and round(1.2 * math.log(p / (1 - p)), 3)}
    facts |= {"look": p and (128 if abs(p - 0.5) > 0.4 else 224)}
    facts |= {"format": p and FORMATS[source.rpartition(".")[2]], "width": p and 4000, "height": p and 3000}
    facts |= {
        "classified_at": judged_at if p else None,
        "first_failed_at": judged_at if source in ATTEMPTS or failure else None,
    }
    facts |= {name: failure.get(name) for name in ("error_kind", "error_message")}
    return facts | path_columns(f"{FOLDERS.get(state, row['label'])}/{source}".encode())


def original(photo_id: int, photo: dict[str, Any]) -> dict[str, Any]:
    """Columns of the table `originals` for a photo of the phone that is kept in step with the inbox."""
    same = ("inbox_path", "inbox_path_bytes", "sha256")
    return {"photo_id": photo_id, "stamp": f"{photo_id}:{photo['size_bytes']}:0:0"} | {
        name: photo[name] for name in same
    }


def moved(row: dict[str, Any], ids: dict[str, int], reviews: list[dict[str, Any]]) -> dict[str, Any]:
    """The changes by a person's last label: the path of the photo, and the time of its move."""
    own_reviews = [review for review in reviews if review["photo_id"] == ids[row["inbox_path"]]]
    if not own_reviews or own_reviews[-1]["label"] == row["predicted_label"]:
        return {}
    return {
        **path_columns(f"{own_reviews[-1]['label']}/{row['inbox_path']}".encode()),
        "filed_at": later(own_reviews[-1]["reviewed_at"], 0.25),
    }


def rows(table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table with two or more spaces between columns; numbers become numbers, times get the database's format."""
    head, *lines = (re.split(r" {2,}", line) for line in table.strip().splitlines())
    for cells in lines:
        yield {name: value(name, cell) for name, cell in zip(head, cells, strict=True)}


def value(name: str, cell: str) -> Any:
    if cell == "(none)":
        return None
    if re.fullmatch(r"\d+", cell):
        return int(cell)
    if re.fullmatch(r"\d+\.\d+", cell):
        return float(cell)
    return later(cell, 0) if name in {"at", "claimed"} or name.endswith("_at") else cell


def later(time: str, seconds: float) -> str:
    return format_time(datetime.fromisoformat(time.removesuffix("Z") + "+00:00") + timedelta(seconds=seconds))


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
