"""`foodsort review`: its addresses, and the options that it refuses."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from daemon.cli import review
from tests.daemon.conftest import Foodsort, Photo
from tests.daemon.web.conftest import reviewing, sort

pytestmark = pytest.mark.slow

TOKEN = "a token that is long enough"


@pytest.fixture
def photos(root: Path, photo: Photo, foodsort: Foodsort) -> Path:
    """A root with one photo."""
    (root / "inbox/soup.jpg").write_bytes(photo())
    assert foodsort("run", "--root", root, "--once")[0] == 0
    return root


def test_an_empty_root_has_a_message_until_the_first_photo(root: Path, photo: Photo) -> None:
    with reviewing(root) as address:
        assert "There are no photos yet." in httpx.get(address).text
        assert httpx.get(address + "/overview").status_code == 200
        sort(root, {"soup.jpg": photo()})
        assert "soup.jpg" in httpx.get(address).text


def test_review_creates_no_database_without_a_root_or_for_another_user(
    root: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: (root / "inbox").stat().st_uid + 1)
    for place in (root, root / "nothing"):
        code, _, err = foodsort("review", "--root", place)
        assert code == 1
        assert f"{place}/foodsort.db does not exist; `foodsort run` creates it" in err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "photos.example"])
def test_other_machines_need_a_token(root: Path, foodsort: Foodsort, host: str) -> None:
    code, _, err = foodsort("review", "--root", root, "--host", host)
    assert code == 2
    assert "FOODSORT_WEB__TOKEN" in err


def test_a_short_token_is_refused(root: Path, foodsort: Foodsort) -> None:
    (root / "foodsort.toml").write_text('[web]\ntoken = "secret"\n')
    code, _, err = foodsort("review", "--root", root)
    assert code == 2
    assert "12 characters or more" in err


def test_with_a_token_other_machines_are_served_at_the_address_they_used(photos: Path) -> None:
    with reviewing(photos, "--host", "0.0.0.0", FOODSORT_WEB__TOKEN=TOKEN) as address:
        port = address.rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.2:{port}/login").status_code == 200
        assert httpx.get(f"http://127.0.0.2:{port}/login", headers={"Host": "evil.example"}).status_code == 421
        assert httpx.get(f"http://127.0.0.2:{port}/login", headers={"Host": "0.0.0.0"}).status_code == 421


def test_a_port_in_use_is_reported(photos: Path, foodsort: Foodsort) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = foodsort("review", "--root", photos, "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "address already in use" in err
    assert "--port" in err


def test_a_missing_package_is_reported_with_its_extra(
    photos: Path, foodsort: Foodsort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, err = foodsort("review", "--root", photos)
    assert code == 1
    assert err == "foodsort: this command needs the package uvicorn; install it with: pip install 'foodsort[web]'\n"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_after_the_start_ends_review_cleanly(photos: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "daemon", "review", "--root", str(photos), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert "until you press Ctrl-C" in server.stdout.readline()
    server.send_signal(ending)
    out, err = server.communicate(timeout=20)
    assert (server.returncode, out, err) == (0, "", "")


def test_incomplete_requests_leave_file_descriptors_free(photos: Path) -> None:
    command = [sys.executable, "-m", "daemon", "review", "--root", str(photos), "--port", "0"]
    limited = ["sh", "-c", 'ulimit -Sn 100 && exec "$@"', "sh", *command]
    with subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://127.0.0.1:(\d+)/", server.stdout.readline())
        assert found
        with ExitStack() as half:
            for _ in range(50):
                half.enter_context(socket.create_connection(("127.0.0.1", int(found[1])))).sendall(
                    b"GET / HTTP/1.1\r\n"
                )
            assert httpx.get(found[0]).status_code == 503
        while httpx.get(found[0]).status_code != 200:
            assert server.poll() is None
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=20)
    assert set(err.splitlines()) == {"WARNING:  Exceeded concurrency limit."}


def test_an_incomplete_request_does_not_delay_the_stop(photos: Path) -> None:
    with (
        socket.socket() as asking,
        reviewing(photos) as address,
    ):  # the page ends before the socket does, and says nothing
        host, port = address.removeprefix("http://").split(":")
        asking.connect((host, int(port)))
        asking.sendall(f"POST /label HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 9\r\n\r\n".encode())
        httpx.get(address)


def test_responses_are_sent_without_delay() -> None:
    with (
        closing(review._listening("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        closing(listener.accept()[0]) as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("127.0.0.9", True), ("[::1]", True), ("10.0.0.1", False)]
)
def test_loopback_addresses_are_recognised(host: str, here: bool) -> None:
    assert review._is_loopback(host) is here
