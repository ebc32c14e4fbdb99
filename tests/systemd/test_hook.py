"""A hook as a unit of its own, under a real systemd."""

import json
import os

import pytest

from tests.daemon.conftest import Photo
from tests.systemd.conftest import PROBE, ROOT, Machine, drop, until

UNIT = "foodsort-hook@mine.service"
HOOK = "/etc/foodsort/hooks/mine"
STATE = "/var/lib/private/foodsort.hooks/mine"


def hook(machine: Machine, script: str) -> None:
    """Installs a hook."""
    path = machine.path(HOOK)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def names(machine: Machine) -> list[str]:
    """The photos that the hook has written down, in their order."""
    path = machine.path(f"{STATE}/seen")
    return [json.loads(line)["name"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def sorting(machine: Machine) -> Machine:
    """A machine with a running daemon."""
    machine.set()
    machine.start()
    machine.set("RestartSec=100ms", unit=UNIT, fast=False)
    return machine


def test_a_hook_gets_every_photo_also_after_it_was_killed(sorting: Machine, photo: Photo) -> None:
    machine = sorting
    hook(machine, 'while read -r row; do echo "$row" >>"$STATE_DIRECTORY/seen"; done')
    machine.start(UNIT)
    for number in range(3):
        drop(machine.path(f"{ROOT}/inbox"), f"{number}.jpg", photo=photo(shade=number))
        until(lambda: f"{number}.jpg" in names(machine), "the hook gets it")  # noqa: B023
        machine.call("systemctl", "kill", "--signal=KILL", UNIT)
    until(lambda: machine.show("NRestarts", UNIT) == "3", "it is started again")
    assert list(dict.fromkeys(names(machine))) == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_hook_that_fails_gets_its_photo_again_and_can_change_none(sorting: Machine, photo: Photo) -> None:
    machine = sorting
    hook(
        machine,
        f"""
        read -r row; echo "$row" >>"$STATE_DIRECTORY/seen"
        cat {ROOT}/food/soup.jpg >"$STATE_DIRECTORY/copy"
        rm {ROOT}/food/soup.jpg; echo >{ROOT}/food/new; echo >{ROOT}/inbox/new; echo >>{ROOT}/food/soup.jpg
        exit 1
        """,
    )
    machine.start(UNIT)
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    until(lambda: len(names(machine)) > 2, "it is tried again")
    assert set(names(machine)) == {"soup.jpg"}
    assert machine.path(f"{STATE}/copy").read_bytes() == machine.path(f"{ROOT}/food/soup.jpg").read_bytes() == photo()
    assert machine.journal(UNIT).count("Read-only file system") >= 8
    assert os.listdir(machine.path(f"{ROOT}/food")) == ["soup.jpg"]
    assert set(machine.results()) == {"soup.jpg"}


def test_a_cursor_of_another_database_is_refused(sorting: Machine) -> None:
    machine = sorting
    hook(machine, "cat")
    machine.start(UNIT)
    cursor = machine.path(f"{STATE}/cursor")
    until(cursor.exists, "it is made")
    machine.call("systemctl", "stop", UNIT)
    assert machine.show("Result", UNIT) == "success"
    cursor.write_text('{"format": 1, "database": "another", "change": 1, "photo": 1, "missing": []}')
    machine.start(UNIT)
    until(lambda: "belongs to another database; name another file" in machine.journal(UNIT), "it is refused")
    until(lambda: machine.show("NRestarts", UNIT) != "0", "it is tried again")


def test_a_hook_reaches_the_network_and_its_folder(machine: Machine) -> None:
    machine.call("ip", "route", "replace", "192.0.2.1", "dev", "lo")
    machine.set("Type=oneshot", "Restart=no", "ExecStart=", f"ExecStart={PROBE}", unit=UNIT, fast=False)
    machine.start(UNIT)
    outcomes = json.loads(machine.journal(UNIT).splitlines()[1])
    assert {action for action, outcome in outcomes.items() if outcome == "done"} == {
        *("write /var/tmp, its own", "write /dev/shm", "make an AF_UNIX socket", "open /dev/full"),
        *("talk to this machine", "talk to another machine"),
    }
