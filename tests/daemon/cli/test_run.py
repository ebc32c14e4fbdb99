"""`foodsort run --once`: the files before, the files after, and the rows."""

import io
import json
import math
import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from daemon.inbox.handle import InboxHandle
from models import __version__
from models.bundle import Bundle
from models.decision import Thresholds
from tests.daemon.conftest import Foodsort, Photo, tree
from tests.daemon.rows import rows, select

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("each_database")
def test_photos_are_sorted_and_each_has_a_row(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/trip/day 1").mkdir(parents=True)
    (root / "inbox/soup.jpg").write_bytes(photo("food"))
    (root / "inbox/trip/day 1/sea.jpg").write_bytes(photo("non_food"))
    code, out, _ = foodsort("run", "--root", root, "--once")
    assert code == 0
    assert out.splitlines()[-1] == "2 photos sorted: 1 food, 1 non_food, 0 failed; 0 had to stay in the inbox"
    assert tree(root) == {"food/soup.jpg": photo("food"), "non_food/trip/day 1/sea.jpg": photo("non_food")}
    by_name = {row["path"]: row for row in rows(root)}
    assert set(by_name) == {"food/soup.jpg", "non_food/trip/day 1/sea.jpg"}
    soup = by_name["food/soup.jpg"]
    assert (soup["name"], soup["label"], soup["state"], soup["inbox_path"]) == ("soup.jpg", "food", "filed", "soup.jpg")
    assert soup["probability"] > 0.9
    assert by_name["non_food/trip/day 1/sea.jpg"]["probability"] < 0.1
    assert soup["model"].startswith("foodsort-resnet50@")
    assert (soup["format"], soup["width"], soup["height"]) == ("JPEG", 64, 64)
    assert len(soup["classified_at"]) == len("2026-11-24T12:00:00.000000Z")


@pytest.mark.usefixtures("each_database")
def test_a_row_has_the_data_of_its_camera_and_its_model(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    tags = Image.Exif()
    tags[0x0110] = "Soup \x1b[31m 3000"
    tags.get_ifd(0x8769).update({0x9003: "2026:07:01 18:30:00", 0x9011: "+02:00"})
    Image.open(io.BytesIO(photo("food"))).save(root / "inbox/a.jpg", exif=tags)
    (root / "inbox/b.jpg").write_bytes(photo("non_food"))
    (root / "inbox/c.jpg").write_bytes(b"%PDF")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    by_name = {row["name"]: row for row in rows(root)}
    taken = [[by_name[name][column] for column in ("taken_at", "taken_offset", "camera")] for name in sorted(by_name)]
    assert taken == [["2026-07-01T18:30:00", "+02:00", "Soup \\x1b[31m 3000"], [None] * 3, [None] * 3]
    card = Bundle.load().card
    for row in by_name.values():
        thresholds = Thresholds(food=row["threshold"], unsure_low=row["unsure_low"], unsure_high=row["unsure_high"])
        assert thresholds == card.thresholds
        assert row["engine"] == "scripted"
        assert row["modified_at"] <= row["claimed_at"] <= (row["classified_at"] or row["filed_at"])
    for row in (by_name["a.jpg"], by_name["b.jpg"]):
        assert row["probability"] == pytest.approx(1 / (1 + math.exp(-row["logit"] / card.temperature)))
        assert row["certainty"] == pytest.approx(max(row["probability"], 1 - row["probability"]))
    assert (by_name["c.jpg"]["logit"], by_name["c.jpg"]["certainty"], by_name["c.jpg"]["reviewed_at"]) == (None,) * 3


def test_times_and_modes_of_photos_are_kept(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    path = root / "inbox/old.jpg"
    path.write_bytes(photo())
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 10**18 + 1))
    foodsort("run", "--root", root, "--once")
    stat = (root / "food/old.jpg").stat()
    assert (stat.st_mtime_ns, stat.st_mode & 0o777) == (10**18 + 1, 0o640)


def test_sorting_overwrites_nothing(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "food").mkdir()
    (root / "food/a.jpg").write_bytes(b"was here first")
    (root / "food/a (2).jpg").symlink_to("nowhere")
    (root / "inbox/a.jpg").write_bytes(photo())
    foodsort("run", "--root", root, "--once")
    assert tree(root) == {"food/a.jpg": b"was here first", "food/a (3).jpg": photo()}
    assert [row["path"] for row in rows(root)] == ["food/a (3).jpg"]


def test_repeated_names_and_bytes_get_rows_of_their_own(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    for _ in range(3):
        (root / "inbox/a.jpg").write_bytes(photo())
        assert foodsort("run", "--root", root, "--once")[0] == 0
    assert set(tree(root)) == {"food/a.jpg", "food/a (2).jpg", "food/a (3).jpg"}
    assert len(rows(root)) == 3
    assert len({row["sha256"] for row in rows(root)}) == 1


@pytest.mark.usefixtures("each_database")
def test_files_that_are_not_images_fail_with_a_sidecar(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/papers").mkdir()
    (root / "inbox/papers/bill.pdf").write_bytes(b"%PDF-1.7 and so on")
    (root / "inbox/cut.jpg").write_bytes(photo(size=256)[:1000])
    (root / "inbox/none.jpg").touch()
    code, out, _ = foodsort("run", "--root", root, "--once")
    assert code == 0
    assert out.splitlines()[-1].startswith("3 photos sorted: 0 food, 0 non_food, 3 failed")
    kinds = {
        name.removeprefix("failed/"): json.loads(data)["kind"]
        for name, data in tree(root).items()
        if name.endswith(".error.json")
    }
    assert kinds == {
        "papers/bill.pdf.error.json": "not_an_image",
        "cut.jpg.error.json": "truncated",
        "none.jpg.error.json": "empty",
    }
    assert (root / "failed/papers/bill.pdf").read_bytes() == b"%PDF-1.7 and so on"
    by_name = {row["name"]: row for row in rows(root)}
    assert {row["state"] for row in by_name.values()} == {"failed"}
    assert {row["label"] for row in by_name.values()} == {None}
    assert by_name["bill.pdf"]["error_kind"] == "not_an_image"
    sidecar = json.loads((root / "failed/cut.jpg.error.json").read_text())
    assert (sidecar["name"], sidecar["attempts"], sidecar["sha256"]) == ("cut.jpg", 1, by_name["cut.jpg"]["sha256"])
    assert (sidecar["foodsort"], sidecar["model"]) == (__version__, by_name["cut.jpg"]["model"])
    assert sidecar["first_failed_at"] == by_name["cut.jpg"]["first_failed_at"] <= sidecar["last_failed_at"]


def test_sidecars_never_overwrite_a_file_of_that_name(root: Path, foodsort: Foodsort) -> None:
    (root / "inbox/a.jpg").write_bytes(b"one")
    (root / "failed").mkdir()
    (root / "failed/a.jpg.error.json").write_bytes(b"another")
    foodsort("run", "--root", root, "--once")
    after = tree(root)
    assert after.pop("failed/a.jpg.error.json") == b"another"
    assert set(after) == {"failed/a (2).jpg", "failed/a (2).jpg.error.json"}


def test_the_sidecar_of_a_long_name_is_named_by_the_digest(root: Path, foodsort: Foodsort) -> None:
    name = "x" * 251 + ".jpg"
    (root / "inbox" / name).write_bytes(b"no picture")
    foodsort("run", "--root", root, "--once")
    digest = rows(root)[0]["sha256"]
    assert set(tree(root)) == {f"failed/{name}", f"failed/{digest}.error.json"}


@pytest.mark.usefixtures("each_database")
def test_odd_names_are_kept_byte_for_byte_and_shown_escaped(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    names = [b"-rf.jpg", b"new\nline.jpg", b"caf\xe9.jpg", "\u202etxt.jpg".encode(), b"x" * 251 + b".jpg", b"a\\b.jpg"]
    for shade, name in enumerate(names):
        Path(os.fsdecode(os.path.join(os.fsencode(root), b"inbox", name))).write_bytes(photo(shade=shade))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert sorted(os.listdir(os.fsencode(root / "food"))) == sorted(names)
    shown = {row["name"] for row in rows(root)}
    assert {r"new\x0aline.jpg", r"caf\xe9.jpg", r"a\x5cb.jpg", r"\xe2\x80\xaetxt.jpg"} <= shown
    stored = select(root, "SELECT path_bytes FROM photos")
    assert sorted(row["path_bytes"] for row in stored) == sorted(b"food/" + name for name in names)
    code, out, _ = foodsort("results", "--root", root, "--format", "json")
    assert code == 0
    assert {row["name"] for row in json.loads(out)} == shown


@pytest.mark.usefixtures("each_database")
def test_links_fifos_sockets_and_ignored_files_stay_and_get_no_row(
    root: Path, photo: Photo, foodsort: Foodsort
) -> None:
    outside = root / "outside.jpg"
    outside.write_bytes(photo())
    (root / "inbox/link.jpg").symlink_to(outside)
    (root / "inbox/dangling.jpg").symlink_to("nowhere")
    (root / "inbox/loop").symlink_to(root / "inbox")
    os.mkfifo(root / "inbox/pipe.jpg")
    (root / "inbox/folder.jpg").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(root / "inbox/socket.jpg"))
    for name in (".hidden.jpg", "a.part", "Thumbs.db", "b.crdownload"):
        (root / "inbox" / name).write_bytes(photo())
    (root / "inbox/@eaDir").mkdir()
    (root / "inbox/@eaDir/thumb.jpg").write_bytes(photo())
    (root / "inbox/real.jpg").write_bytes(photo())
    before = {path.name for path in (root / "inbox").iterdir()}
    code, out, _ = foodsort("run", "--root", root, "--once")
    server.close()
    assert code == 0
    assert out.splitlines()[-1].startswith("1 photo sorted: 1 food")
    assert {path.name for path in (root / "inbox").iterdir()} - {".foodsort"} == before - {"real.jpg"}
    assert outside.exists()
    assert [row["name"] for row in rows(root)] == ["real.jpg"]
    events = select(root, "SELECT kind, path FROM events")
    skipped = ("link.jpg", "dangling.jpg", "loop", "pipe.jpg", "socket.jpg")
    assert sorted((event["kind"], event["path"]) for event in events) == sorted(("skipped", name) for name in skipped)


def test_a_link_in_place_of_a_sub_folder_is_not_followed(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "elsewhere").mkdir()
    (root / "food").mkdir()
    (root / "food/trip").symlink_to(root / "elsewhere")
    (root / "inbox/trip").mkdir()
    (root / "inbox/trip/a.jpg").write_bytes(photo())
    (root / "inbox/b.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert list((root / "elsewhere").iterdir()) == []
    assert (root / "food/trip (2)/a.jpg").read_bytes() == photo()


def test_a_dry_run_reports_each_destination_and_moves_nothing(root: Path, photo: Photo, foodsort: Foodsort) -> None:
    (root / "inbox/trip").mkdir()
    (root / "inbox/trip/soup.jpg").write_bytes(photo())
    (root / "inbox/bill.pdf").write_bytes(b"%PDF")
    before = sorted(root.rglob("*"))
    code, out, err = foodsort("run", "--root", root, "--dry-run")
    assert code == 0
    assert sorted(root.rglob("*")) == before
    assert "to=food/trip/soup.jpg" in err
    assert "to=failed/bill.pdf" in err
    assert out.splitlines()[-1] == "2 photos would be sorted: 1 food, 0 non_food, 1 failed; 0 had to stay in the inbox"


def test_unsure_photos_go_to_their_own_folder(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch, photo: Photo
) -> None:
    grey = io.BytesIO()
    Image.new("RGB", (64, 64), (100, 100, 100)).save(grey, "PNG")
    (root / "inbox/grey.png").write_bytes(grey.getvalue())
    (root / "inbox/soup.jpg").write_bytes(photo())
    monkeypatch.setenv("FOODSORT_FOLDERS__UNSURE", "unsure")
    code, out, _ = foodsort("run", "--root", root, "--once")
    assert code == 0
    assert set(tree(root)) == {"unsure/grey.png", "food/soup.jpg"}
    assert {row["name"]: row["label"] for row in rows(root)} == {"grey.png": "unsure", "soup.jpg": "food"}
    assert "1 unsure" in out


def test_a_second_daemon_names_the_process_that_holds_the_inbox(root: Path, foodsort: Foodsort) -> None:
    inbox = InboxHandle(root / "inbox", lock=True)
    code, _, err = foodsort("run", "--root", root, "--once")
    inbox.close()
    assert code == 1
    assert f"process {os.getpid()} (since 20" in err


def test_missing_folders_are_made(tmp_path: Path, root: Path, foodsort: Foodsort) -> None:
    assert foodsort("run", "--root", tmp_path / "new", "--once")[0] == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} >= {
        "inbox",
        "food",
        "non_food",
        "failed",
        "foodsort.db",
    }


def test_a_root_path_may_contain_dots(
    tmp_path: Path, root: Path, photo: Photo, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(root / "inbox")
    (root / "inbox/a.jpg").write_bytes(photo("food"))
    monkeypatch.chdir(root / "inbox")
    for named in ("..", "../../link/.."):  # the latter is the root, too: links are followed before the dots
        assert foodsort("run", "--once", "--root", named)[0] == 0
        assert [row["path"] for row in select(root, "SELECT path FROM results")] == ["food/a.jpg"]
        assert foodsort("correct", "--root", named, "../food/a.jpg", "--label", "non_food")[0] == 0
        assert foodsort("undo", "--root", named, "non_food/a.jpg") == (
            0,
            "non_food/a.jpg → inbox/a.jpg\n1 photo is back in the inbox, to stay there until `foodsort retry PATH`\n",
            "",
        )
        assert foodsort("retry", "--root", named, "a.jpg")[0] == 0
        assert foodsort("correct", "--root", named, "a.jpg", "--label", "food")[0] == 1
        assert foodsort("run", "--once", "--root", named)[0] == 0
        assert foodsort("correct", "--root", named, "non_food/a.jpg", "--label", "food")[0] == 0


def test_other_folders_and_another_database_are_used(
    root: Path, photo: Photo, foodsort: Foodsort, tmp_path: Path
) -> None:
    (root / "foodsort.toml").write_text(
        f'[folders]\nfood = "Essen/gut"\nnon_food = "{tmp_path}/far/rest"\n'
        f'[database]\nurl = "sqlite:///{tmp_path}/other.db"\n'
    )
    (root / "inbox/a.jpg").write_bytes(photo("food"))
    (root / "inbox/b.jpg").write_bytes(photo("non_food"))
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert (root / "Essen/gut/a.jpg").exists()
    assert (tmp_path / "far/rest/b.jpg").exists()
    assert not (root / "foodsort.db").exists()
    assert "Essen/gut/a.jpg" in {row["path"] for row in select(root, "SELECT path FROM results")}


def test_failed_files_that_are_moved_back_with_their_sidecars_fail_again_alone(root: Path, foodsort: Foodsort) -> None:
    (root / "inbox/bill.pdf").write_bytes(b"%PDF")
    (root / "inbox" / ("x" * 250 + ".pdf")).write_bytes(b"%PDF too")
    assert foodsort("run", "--root", root, "--once")[0] == 0
    before = set(tree(root))
    sidecars = {path.name for path in (root / "failed").glob("*.error.json")}
    for path in (root / "failed").iterdir():
        path.rename(root / "inbox" / path.name)
    assert foodsort("run", "--root", root, "--once")[0] == 0
    assert len(sidecars) == 2
    assert set(tree(root)) == before | {f"inbox/{name}" for name in sidecars}
