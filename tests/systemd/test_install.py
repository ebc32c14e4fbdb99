"""Files of `make install-service`: installed twice, and removed by `make uninstall-service`."""

import pytest

from tests.daemon.conftest import Photo
from tests.systemd.conftest import PROJECT, ROOT, Machine, drop, until

_FOLDERS = {
    "": "2750 foodsort foodsort",
    "inbox": "3770 foodsort foodsort",
    "inbox/.foodsort": "700 foodsort foodsort",
    **dict.fromkeys(("food", "non_food", "failed"), "2770 foodsort foodsort"),
}


def _modes(machine: Machine, root: str = ROOT) -> dict[str, str]:
    lines = machine.call("find", root, "-type", "d", "-printf", "%P %m %u %g\n").stdout.splitlines()
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines}


def test_folders_have_their_modes_also_once_the_service_has_run(machine: Machine) -> None:
    assert _modes(machine) == _FOLDERS
    machine.set()
    machine.start()
    machine.call("systemctl", "stop", "foodsort")
    assert _modes(machine) == _FOLDERS


def test_a_further_root_is_made_by_the_documented_commands(machine: Machine, photo: Photo) -> None:
    machine.set(unit="foodsort@holiday.service")
    text = (PROJECT / "docs/service.md").read_text().partition("## Several roots")[2]
    commands = text.partition("```sh\n")[2].partition("```")[0].replace("sudo ", "")
    assert "foodsort@holiday" in commands
    machine.call("sh", "-e", stdin=commands)
    try:
        assert _modes(machine, f"{ROOT}-holiday") == _FOLDERS
        drop(machine.path(f"{ROOT}-holiday/inbox"), "soup.jpg", photo=photo())
        until(lambda: machine.path(f"{ROOT}-holiday/food/soup.jpg").exists(), "the photo is filed")
    finally:
        machine.call("systemctl", "disable", "--now", "foodsort@holiday")
        machine.call("rm", "/etc/tmpfiles.d/foodsort-holiday.conf")


@pytest.mark.parametrize("name", ["gpu", "growing-pauses"])
def test_the_service_starts_with_drop_ins_for_missing_hardware(machine: Machine, name: str) -> None:
    machine.set()
    machine.example(name)
    machine.start()
    assert machine.show("ActiveState") == "active"


def test_installing_again_changes_nothing_and_uninstalling_keeps_photos(machine: Machine, photo: Photo) -> None:
    machine.set()
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    machine.call("systemctl", "enable", "--now", "foodsort")
    until(lambda: machine.path(f"{ROOT}/food/soup.jpg").exists(), "the photo is filed")
    installed = machine.call("find", "/usr/local", "-name", "*foodsort*").stdout
    machine.install()
    assert machine.call("find", "/usr/local", "-name", "*foodsort*").stdout == installed
    try:
        machine.call("make", "-C", "/opt/foodsort/project", "uninstall-service")
        machine.call("make", "-C", "/opt/foodsort/project", "uninstall-service")
        assert machine.call("find", "/usr/local", "/etc/systemd", "-name", "*foodsort*").stdout == ""
        assert machine.show("LoadState") == "not-found"
        assert machine.path(f"{ROOT}/food/soup.jpg").read_bytes() == photo()
        assert machine.path(f"{ROOT}/foodsort.db").exists()
        assert machine.call("id", "foodsort").returncode == 0
    finally:
        machine.install()


def test_a_root_under_home_is_served(machine: Machine, photo: Photo) -> None:
    machine.set()
    machine.example("home", NAME="anna")
    machine.call("rm", "-rf", "/home/anna/foodsort")
    machine.call(
        *("install", "-d", "-o", "foodsort", "-g", "foodsort", "-m", "2770"),
        *("/home/anna/foodsort", "/home/anna/foodsort/inbox"),
    )
    machine.start()
    drop(machine.path("/home/anna/foodsort/inbox"), "soup.jpg", photo=photo())
    until(lambda: machine.path("/home/anna/foodsort/food/soup.jpg").exists(), "the photo is filed")
    assert not machine.path(f"{ROOT}/foodsort.db").exists()


def test_a_persons_own_service_sorts_at_home(machine: Machine, photo: Photo) -> None:
    uid = machine.call("id", "-u", "anna").stdout.strip()
    if machine.call("systemctl", "start", f"user@{uid}.service", check=False).returncode:
        pytest.skip("this machine starts no systemd for persons")
    manager = ("env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "systemctl", "--user")
    home = machine.path("/home/anna")
    machine.call("rm", "-rf", "/home/anna/foodsort")
    machine.as_user("anna", *manager, "set-environment", "FOODSORT_MODEL__ENGINE=scripted")
    try:
        machine.as_user("anna", *manager, "start", "foodsort")
        assert (home / "foodsort/foodsort.toml").exists()
        drop(home / "foodsort/inbox", "soup.jpg", photo=photo())
        until(lambda: (home / "foodsort/food/soup.jpg").exists(), "the photo is filed")
    finally:
        machine.call("systemctl", "stop", f"user@{uid}.service")
