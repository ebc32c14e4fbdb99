"""Confinement by the unit: a probe in the daemon's place tries forbidden actions."""

import json

import pytest

from tests.systemd.conftest import PROBE, Machine, until

pytestmark = pytest.mark.usefixtures("surroundings")

_ALLOWED = {
    "write /var/lib/foodsort",
    "write /var/lib/foodsort/inbox",
    "write /var/cache/foodsort",
    "write /var/tmp, its own",
    "write /dev/shm",
    "make an AF_UNIX socket",
    "open /dev/full",
    "bind a thread to a core",
}


@pytest.fixture
def surroundings(machine: Machine) -> None:
    """Targets of the probe: a folder open to everybody, and a route to another machine."""
    machine.call("mkdir", "--parents", "--mode=1777", "/var/lib/open")
    machine.call("ip", "route", "replace", "192.0.2.1", "dev", "lo")


def _done(machine: Machine, unit: str = "foodsort.service") -> set[str]:
    """Actions that succeed for a probe with the unit's own settings."""
    machine.set("Type=oneshot", "Restart=no", "ExecStart=", f"ExecStart={PROBE}", unit=unit, fast=False)
    machine.start(unit)
    outcomes = json.loads(machine.journal(unit).splitlines()[1])
    return {action for action, outcome in outcomes.items() if outcome == "done"}


def test_the_daemon_reaches_only_its_folders(machine: Machine) -> None:
    assert _done(machine) == _ALLOWED


def test_the_review_page_also_reaches_this_machine(machine: Machine) -> None:
    assert _done(machine, "foodsort-review.service") == _ALLOWED | {"talk to this machine"}


def test_without_the_unit_the_probe_succeeds(machine: Machine) -> None:
    # Without the unit's settings the same user can do most of it: the settings forbid it.
    output = machine.call("systemd-run", "--wait", "--pipe", "--quiet", "--uid=foodsort", *PROBE.split()).stdout
    can = {action for action, outcome in json.loads(output).items() if outcome == "done"}
    assert {
        *("see /home", "write /var/lib/open", "talk to this machine", "talk to another machine"),
        *("make an AF_NETLINK socket", "make a user namespace", "make a setgid folder", "see another's process"),
    } <= can
    assert not {"read /etc/shadow", "see /root"} & can


def test_loopback_opens_this_machine_alone(machine: Machine) -> None:
    machine.example("loopback")
    assert _done(machine) == _ALLOWED | {"talk to this machine"}


def test_decoders_add_a_seccomp_filter(machine: Machine) -> None:
    machine.set()
    machine.start()
    daemon = machine.show("MainPID")
    decoders = machine.call("pgrep", "--parent", daemon).stdout.split()
    assert decoders
    until(
        lambda: all(_filters(machine, pid) > _filters(machine, daemon) > 0 for pid in decoders),
        "all have a filter more",
    )


def _filters(machine: Machine, pid: str) -> int:
    """Number of seccomp filters of a process."""
    status = machine.call("cat", f"/proc/{pid}/status").stdout
    return int(status.partition("Seccomp_filters:")[2].split()[0])
