"""The service under a real systemd: sorting, restart, stop, an invalid setting, a full disk."""

import os
import re
import signal

import pytest

from tests.daemon.conftest import Photo, fill
from tests.systemd.claims import claimed, drop_until_claimed, inodes
from tests.systemd.conftest import ROOT, Machine, drop, until


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_the_real_model_sorts_photos_and_copies_none(machine: Machine, photo: Photo, engine: str) -> None:
    machine.set(f"Environment=FOODSORT_MODEL__ENGINE={engine}", fast=False, doctor=True)
    names = [f"{shade}.jpg" for shade in range(3)]
    for shade, name in enumerate(names):
        drop(machine.path(f"{ROOT}/inbox"), name, photo=photo(shade=shade))
    before = inodes(machine.path(f"{ROOT}/inbox"))
    machine.start()
    sorted_ = [machine.path(f"{ROOT}/{label}") for label in ("food", "non_food")]
    until(lambda: set(inodes(*sorted_)) == set(names), "all are sorted")
    rows = machine.results()
    assert {name: machine.path(f"{ROOT}/{row['path']}").stat().st_ino for name, row in rows.items()} == before
    assert machine.status()["engine"].startswith(engine)
    assert set(os.listdir(machine.path(ROOT))) == {
        *("inbox", "food", "non_food", "failed", "foodsort.db", "foodsort.db-shm", "foodsort.db-wal"),
        *("foodsort.status.json", "foodsort.id"),
    }


def test_a_killed_daemon_is_restarted_and_every_photo_has_its_place(machine: Machine, photo: Photo) -> None:
    machine.set("RestartSec=100ms")
    machine.start()
    first = machine.show("MainPID")
    names = drop_until_claimed(machine, photo)
    machine.call("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "foodsort")
    until(lambda: set(inodes(machine.path(f"{ROOT}/food"))) == set(names), "all are sorted")
    until(lambda: {row["state"] for row in machine.results().values()} == {"filed"}, "every row says so")
    assert set(machine.results()) == set(names)
    assert machine.show("NRestarts") == "1"
    assert machine.show("MainPID") != first
    assert not claimed(machine)


def test_a_stop_under_load_leaves_nothing_claimed(machine: Machine, photo: Photo) -> None:
    machine.set()
    machine.start()
    names = drop_until_claimed(machine, photo)
    machine.call("systemctl", "stop", "foodsort")
    assert machine.show("Result") == "success"
    assert not claimed(machine)
    rows = machine.results()
    assert {row["state"] for row in rows.values()} <= {"filed"}
    sorted_, waiting = inodes(machine.path(f"{ROOT}/food")), inodes(machine.path(f"{ROOT}/inbox"))
    assert set(sorted_) == set(rows)
    assert sorted([*sorted_, *waiting]) == sorted(names)


def test_an_invalid_setting_ends_the_daemon_without_restarts(machine: Machine) -> None:
    machine.set("RestartSec=100ms", doctor=True)
    machine.path(f"{ROOT}/foodsort.toml").write_text("[watch]\nsetle_s = 1\n")
    assert machine.call("systemctl", "start", "foodsort", check=False).returncode != 0
    assert machine.show("ExecMainStatus") == "2"
    assert (machine.show("ActiveState"), machine.show("NRestarts")) == ("failed", "0")
    assert "setle_s" in machine.journal()


def test_a_damaged_database_is_reported_and_kept(machine: Machine) -> None:
    machine.set(doctor=True)
    database = machine.path(f"{ROOT}/foodsort.db")
    damaged = b"no database" * 1000
    database.write_bytes(damaged)
    machine.call("chown", "foodsort:foodsort", f"{ROOT}/foodsort.db")
    assert machine.call("systemctl", "start", "foodsort", check=False).returncode != 0
    assert re.search("^problem +database", machine.journal(), re.MULTILINE)
    assert "foodsort repair" in machine.journal()
    assert database.read_bytes() == damaged


def test_a_decoder_killed_for_its_memory_does_not_stop_the_daemon(machine: Machine, photo: Photo) -> None:
    machine.set()
    machine.start()
    assert machine.show("OOMPolicy") == "continue"
    daemon = machine.show("MainPID")
    machine.call("pkill", "--signal", str(int(signal.SIGKILL)), "--parent", daemon)
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    until(lambda: "soup.jpg" in inodes(machine.path(f"{ROOT}/food")), "the photo is filed")
    assert machine.show("MainPID") == daemon


def test_a_second_root_waits_for_a_full_disk(machine: Machine, photo: Photo) -> None:
    unit, root = "foodsort@small.service", f"{ROOT}-small"
    machine.set(unit=unit)
    machine.call("mkdir", root)
    # Through its root the tests reach the sandbox's files, but cannot mount there.
    machine.call("mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", root)
    drop(machine.path(f"{root}/inbox"), "soup.jpg", photo=photo())
    machine.call("chown", "-R", "foodsort:foodsort", root)
    filling = fill(machine.path(root))
    machine.call("systemctl", "start", "--no-block", unit)
    until(lambda: machine.events("waiting", unit) > 0, "the wait is logged")
    assert machine.show("ActiveState", unit) == "activating"
    filling.unlink()
    until(lambda: machine.path(f"{root}/food/soup.jpg").exists(), "the photo is filed")
    until(lambda: machine.show("ActiveState", unit) == "active", "it is ready")
    assert machine.show("NRestarts", unit) == "0"
    assert not machine.path(f"{ROOT}/foodsort.db").exists()
