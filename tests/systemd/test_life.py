"""Reload, another model, the watchdog, an upgrade, and notifications to systemd."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from models.bundle import Bundle
from tests.daemon.conftest import Photo
from tests.systemd.claims import claimed, drop_until_claimed, inodes
from tests.systemd.conftest import PROJECT, ROOT, Machine, drop, until


def test_a_reload_accepts_valid_settings_and_refuses_invalid_ones(machine: Machine, photo: Photo) -> None:
    machine.set()
    machine.start()
    daemon, settings = machine.show("MainPID"), machine.path(f"{ROOT}/foodsort.toml")
    settings.write_text('[folders]\nfood = "tasty"\n')
    machine.call("systemctl", "reload", "foodsort")
    until(lambda: machine.show("ActiveState") == "active", "the reload has ended")
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    until(lambda: machine.path(f"{ROOT}/tasty/soup.jpg").exists(), "the new folder is used")
    settings.write_text("[watch]\nsetle_s = 1\n")
    assert machine.call("systemctl", "reload", "foodsort", check=False).returncode
    assert "setle_s" in machine.journal()
    # Settings that only the daemon can check.
    settings.write_text('[folders]\nfood = "tasty"\n[model]\nbundle = "nowhere"\n')
    machine.call("systemctl", "reload", "foodsort")
    until(lambda: machine.show("ActiveState") == "active", "the reload has ended")
    until(lambda: machine.events("reload") == 1, "the failed reload is logged")
    drop(machine.path(f"{ROOT}/inbox"), "cake.jpg", photo=photo(shade=1))
    until(lambda: machine.path(f"{ROOT}/tasty/cake.jpg").exists(), "it goes on")
    assert machine.show("MainPID") == daemon


def test_a_reload_switches_the_model_under_load(machine: Machine, photo: Photo) -> None:
    shutil.copytree(Bundle.load().folder, other := machine.path(f"{ROOT}/other"), ignore=shutil.ignore_patterns("__*"))
    Bundle.write(other, Bundle.load(other).card.model_copy(update={"name": "other"}))
    machine.set()
    machine.start()
    daemon = machine.show("MainPID")
    names = drop_until_claimed(machine, photo)
    machine.path(f"{ROOT}/foodsort.toml").write_text('[model]\nbundle = "other"\n')
    machine.call("systemctl", "reload", "foodsort")
    until(lambda: (machine.status()["model"] or "").startswith("other@"), "the new model is in use")
    drop(machine.path(f"{ROOT}/inbox"), "last.jpg", photo=photo(shade=9))
    until(lambda: set(inodes(machine.path(f"{ROOT}/food"))) == {*names, "last.jpg"}, "all are sorted")
    until(lambda: {row["state"] for row in machine.results().values()} == {"filed"}, "every row says so")
    rows = machine.results()
    assert set(rows) == {*names, "last.jpg"}
    assert rows["last.jpg"]["model"].startswith("other@")
    assert machine.show("MainPID") == daemon
    assert not claimed(machine)


def test_a_stuck_daemon_is_restarted(machine: Machine, photo: Photo) -> None:
    machine.set("WatchdogSec=5s", "RestartSec=100ms", "Environment=FOODSORT_FAULT=claimed:1:hang")
    machine.start()
    first = machine.show("MainPID")
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    until(lambda: machine.path(f"{ROOT}/food/soup.jpg").exists(), "the photo is filed by the next daemon")
    assert machine.show("MainPID") != first
    assert machine.show("NRestarts") == "1"
    assert "Watchdog timeout" in machine.journal()


def test_a_database_of_the_previous_version_is_migrated(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript((PROJECT / "tests/data/schema-0.3.0.sql").read_text())
    shutil.copy(tmp_path / "old.db", machine.path(f"{ROOT}/foodsort.db"))
    machine.call("chown", "foodsort:foodsort", f"{ROOT}/foodsort.db")
    machine.set(doctor=True)
    machine.start()
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    until(lambda: "soup.jpg" in machine.results(), "a row for the photo")


def test_systemd_gets_the_state_and_the_journal_gets_fields(machine: Machine, photo: Photo) -> None:
    machine.set()
    machine.start()
    until(lambda: machine.show("StatusText").startswith("watching; 0 in the inbox"), "it says what it is at")
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    drop(machine.path(f"{ROOT}/inbox"), "bill.pdf", photo=b"%PDF")
    until(lambda: set(machine.results()) == {"soup.jpg", "bill.pdf"}, "both are taken")
    command = ("journalctl", "--output=json", "--unit=foodsort", "PHOTO=soup.jpg", "+", "PHOTO=bill.pdf")
    lines = [json.loads(line) for line in machine.call(*command).stdout.splitlines()]
    entries = {line["PHOTO"]: (line["PRIORITY"], line["TO"], "BATCH" in line) for line in lines if "TO" in line}
    assert entries == {"soup.jpg": ("6", "food/soup.jpg", True), "bill.pdf": ("4", "failed/bill.pdf", True)}
