"""Members of the group drop photos and take sorted ones; other users see nothing; files that cannot be moved are named."""

import base64
import json

import pytest

from tests.daemon.conftest import Photo
from tests.systemd.conftest import ROOT, Machine, until

INBOX = f"{ROOT}/inbox"


@pytest.fixture
def sorting(machine: Machine, photo: Photo) -> Machine:
    """A machine whose daemon is watching, with a photo in ~/soup.jpg of each user."""
    machine.set()
    machine.start()
    for shade, name in enumerate(("anna", "bob", "eve")):
        encoded = base64.b64encode(photo(shade=shade)).decode()
        machine.as_user(name, "sh", "-c", "rm -rf ~/* && base64 --decode > ~/soup.jpg", stdin=encoded)
    return machine


def _sh(machine: Machine, name: str, line: str) -> bool:
    return machine.as_user(name, "sh", "-c", line, check=False).returncode == 0


def _await(machine: Machine, *paths: str) -> None:
    """Waits until the photos at these paths of the inbox are sorted."""
    until(lambda: all(machine.path(f"{ROOT}/food/{path}").exists() for path in paths), f"{paths} are sorted")


def test_a_member_drops_photos_and_folders_and_reads_the_results(sorting: Machine) -> None:
    assert _sh(sorting, "anna", f"cp ~/soup.jpg {INBOX}/top.jpg")
    assert _sh(sorting, "anna", f"mkdir -p {INBOX}/trip/day && cp ~/soup.jpg {INBOX}/trip/day")
    assert _sh(
        sorting,
        "anna",
        f"mkdir ~/album && cp ~/soup.jpg ~/album && cp -r ~/album {INBOX} && chmod -R g+w {INBOX}/album",
    )
    _await(sorting, "top.jpg", "trip/day/soup.jpg", "album/soup.jpg")
    assert set(sorting.results(user="bob")) == {"top.jpg", "trip/day/soup.jpg", "album/soup.jpg"}
    until(lambda: "3 food" in sorting.foodsort("status", "--root", ROOT, user="bob").stdout, "the status counts them")
    assert sorting.call("stat", "--format=%U", f"{ROOT}/food/top.jpg").stdout == "anna\n"


def test_readers_leave_no_file_that_the_daemon_cannot_open(sorting: Machine) -> None:
    assert _sh(sorting, "anna", f"cp ~/soup.jpg {INBOX}/one.jpg")
    _await(sorting, "one.jpg")
    sorting.call("systemctl", "stop", "foodsort")
    assert list(sorting.results(user="bob")) == ["one.jpg"]
    sorting.start()
    assert _sh(sorting, "bob", f"cp ~/soup.jpg {INBOX}/two.jpg")
    _await(sorting, "two.jpg")


def test_members_take_sorted_photos_but_no_others_from_the_inbox(sorting: Machine) -> None:
    assert _sh(sorting, "anna", f"cp ~/soup.jpg {INBOX}")
    _await(sorting, "soup.jpg")
    assert _sh(sorting, "bob", f"mv {ROOT}/food/soup.jpg ~/hers.jpg")
    sorting.call("systemctl", "stop", "foodsort")
    assert _sh(sorting, "anna", f"cp ~/soup.jpg {INBOX}")
    assert not _sh(sorting, "bob", f"mv {INBOX}/soup.jpg ~/taken.jpg")
    assert not _sh(sorting, "bob", f"rm -f {INBOX}/soup.jpg")
    assert not _sh(sorting, "bob", f"ls {INBOX}/.foodsort")
    assert _sh(sorting, "anna", f"mv {INBOX}/soup.jpg ~/again.jpg")


def test_other_users_neither_see_nor_drop_photos(sorting: Machine) -> None:
    assert not _sh(sorting, "eve", f"ls {ROOT}")
    assert not _sh(sorting, "eve", f"cp ~/soup.jpg {INBOX}")
    process = sorting.foodsort("results", "--root", ROOT, user="eve", check=False)
    assert process.returncode
    assert process.stderr.count("Permission denied") == 1


def test_files_that_cannot_be_moved_stay_and_are_named(sorting: Machine) -> None:
    # Of mode 0600; and a folder that keeps the rights it had at home, where nobody else may empty it.
    assert _sh(sorting, "anna", f"(umask 077; cp ~/soup.jpg ~/mine.jpg; cp -p ~/mine.jpg {INBOX})")
    assert _sh(sorting, "anna", f"mkdir ~/album && cp ~/soup.jpg ~/album && mv ~/album {INBOX}")
    assert _sh(sorting, "anna", f"cp ~/soup.jpg {INBOX}/last.jpg")
    _await(sorting, "last.jpg")
    until(lambda: sorting.events("refused") >= 2, "the log names both")
    assert set(sorting.results()) == {"last.jpg"}
    findings = json.loads(sorting.foodsort("doctor", "--quick", "--root", ROOT, "--format", "json").stdout)
    messages = "\n".join(finding["message"] for finding in findings)
    for path in ("mine.jpg", "album/soup.jpg"):
        assert sorting.path(f"{INBOX}/{path}").exists()
        assert path in messages
    # As docs/service.md says.
    assert _sh(sorting, "anna", f"cd {INBOX} && chgrp -R foodsort mine.jpg album && chmod -R g+rwX mine.jpg album")
    _await(sorting, "mine.jpg", "album/soup.jpg")
