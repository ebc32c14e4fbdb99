"""The review page as a unit of its own, under a real systemd."""

import pytest

from tests.daemon.conftest import Photo
from tests.systemd.conftest import ROOT, Machine, drop, until

UNIT = "foodsort-review.service"
ASK = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8765{}').read().decode())"


def fetched(machine: Machine, path: str, user: str = "eve") -> str:
    """The page as a user of the machine gets it; empty when the server refuses or does not answer."""
    return machine.as_user(user, "python3", "-c", ASK.format(path), check=False).stdout


@pytest.fixture
def sorted_photo(machine: Machine, photo: Photo) -> Machine:
    """A machine with a running daemon and one sorted photo."""
    machine.set()
    machine.start()
    drop(machine.path(f"{ROOT}/inbox"), "soup.jpg", photo=photo())
    until(lambda: machine.path(f"{ROOT}/food/soup.jpg").exists(), "it is sorted")
    return machine


def test_the_page_leaves_no_file_that_the_daemon_cannot_open(sorted_photo: Machine) -> None:
    machine = sorted_photo
    machine.set(unit=UNIT)
    machine.start(UNIT)
    until(lambda: "soup.jpg" in fetched(machine, "/"), "the page shows the photo")
    machine.call("systemctl", "restart", "foodsort")
    until(lambda: "soup.jpg" in fetched(machine, "/"), "the page goes on")
    machine.call("systemctl", "stop", UNIT)
    assert machine.show("Result", UNIT) == "success"
    owners = machine.call("find", ROOT, "-not", "-user", "foodsort").stdout.split()
    assert owners == [f"{ROOT}/food/soup.jpg"]  # a photo keeps its owner, here root


def test_with_a_token_other_users_see_nothing(sorted_photo: Machine) -> None:
    machine = sorted_photo
    machine.set("Environment=FOODSORT_WEB__TOKEN=a-long-enough-secret", unit=UNIT)
    machine.start(UNIT)
    until(lambda: "token" in fetched(machine, "/login"), "the page asks for the token")
    assert "soup.jpg" not in fetched(machine, "/")
