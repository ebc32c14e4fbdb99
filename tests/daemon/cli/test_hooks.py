"""The examples of docs/hooks.md, run as a person would."""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.daemon.conftest import Photo, running, until
from tests.daemon.processes import run_command, watch_command
from tests.daemon.rows import states

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs/hooks.md"


def require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None and not Path(program).exists()]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def example(name: str, folder: Path) -> Path:
    """The hook of this name in the document, as an executable file."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    path = folder / name
    path.write_text(next(block for block in blocks if f"\n# {name}: " in block))
    path.chmod(0o755)
    return path


@contextmanager
def hooked(root: Path, hook: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A hook behind the reader of a root."""
    command = f'{watch_command(root, hook.with_suffix(".cursor"))} | "{hook}"'
    process = subprocess.Popen(["sh", "-c", command], env=os.environ | environment, text=True, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_command_per_photo_mirrors_the_photos_of_food(root: Path, tmp_path: Path, photo: Photo) -> None:
    require("bash", "jq")
    hook = example("gallery", tmp_path)
    gallery = tmp_path / "gallery folder"
    gallery.mkdir()
    names = ("two words.jpg", "line\nbreak.jpg", "é\\.jpg")
    with running(root), hooked(root, hook, FOODSORT_ROOT=str(root), GALLERY=str(gallery)) as process:
        for shade, name in enumerate(names):
            (root / "inbox" / name).write_bytes(photo(shade=shade))
        (root / "inbox/blue.jpg").write_bytes(photo("non_food"))
        (root / "inbox/none.jpg").write_bytes(b"none")
        until(lambda: len(states(root)) == 5 and len(list(gallery.iterdir())) == 3, process)
        assert {path.read_bytes() for path in gallery.iterdir()} == {photo(shade=shade) for shade in range(3)}
        assert run_command("correct", "--root", root, "food/two words.jpg", "--label", "non_food").returncode == 0
        until(lambda: len(list(gallery.iterdir())) == 2, process)
        assert run_command("correct", "--root", root, "non_food/blue.jpg", "--label", "food").returncode == 0
        until(lambda: len(list(gallery.iterdir())) == 3, process)
        assert run_command("undo", "--root", root, "food/blue.jpg").returncode == 0
        until(lambda: len(list(gallery.iterdir())) == 2, process)


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Accepts documents, but the first one only at the second attempt."""

    received: list[Mapping[str, object]]
    refused: int

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not type(self).refused:
            type(self).refused += 1
            self.send_error(503)
            return
        self.received.append(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[tuple[str, type[_Receiver]]]:
    """A server on the loopback: its address, and what it received."""
    receiver = type("Receiver", (_Receiver,), {"received": [], "refused": 0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/photos", receiver
        server.shutdown()
        thread.join()


def test_a_webhook_gets_each_photo_also_after_an_error(
    root: Path, tmp_path: Path, photo: Photo, webhook: tuple[str, type[_Receiver]]
) -> None:
    require("bash", "curl")
    address, receiver = webhook
    with running(root), hooked(root, example("webhook", tmp_path), WEBHOOK=address) as process:
        for shade in range(3):
            (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
        until(lambda: len(receiver.received) >= 3, process)
    assert receiver.refused == 1
    found = {(row["path"], row["label"], row["state"]) for row in receiver.received}
    assert found == {(f"food/{shade}.jpg", "food", "filed") for shade in range(3)}


def test_a_failing_hook_gets_its_photo_again_and_touches_none(root: Path, tmp_path: Path, photo: Photo) -> None:
    hook = tmp_path / "hook"
    hook.write_text('#!/bin/sh\nread -r row && echo "$row" >>"$SEEN"; read -r row && exit 1\n')
    hook.chmod(0o755)
    seen = tmp_path / "seen"
    with running(root) as daemon:
        for shade in range(3):
            (root / f"inbox/{shade}.jpg").write_bytes(photo(shade=shade))
        until(lambda: list(states(root).values()) == ["filed"] * 3, daemon)
        for count in (1, 2, 3):
            with hooked(root, hook, SEEN=str(seen)) as process:
                until(lambda: seen.exists() and seen.read_text().count("\n") == count)  # noqa: B023
                if count < 3:
                    assert process.wait(60) == 1
    names = [json.loads(line)["name"] for line in seen.read_text().splitlines()]
    assert len(names) == len(set(names)) == 3
    assert {name: (root / "food" / name).read_bytes() for name in names} == {
        f"{shade}.jpg": photo(shade=shade) for shade in range(3)
    }


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """An MQTT broker on the loopback: its port."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("not installed: mosquitto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            yield port
        finally:
            process.terminate()


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_home_assistant_gets_a_sensor_and_each_photo(root: Path, tmp_path: Path, photo: Photo, broker: int) -> None:
    require("bash", "mosquitto_pub", "mosquitto_sub")
    listen = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker), "-F", "%j", "-t", "#"]
    messages = tmp_path / "messages"
    with messages.open("w") as file, subprocess.Popen(listen, stdout=file) as listener:
        hook = example("mqtt", tmp_path)
        with running(root), hooked(root, hook, MQTT_HOST="127.0.0.1", MQTT_PORT=str(broker)) as process:
            until(lambda: messages.read_text().count("\n") >= 1, process)
            (root / "inbox/soup.jpg").write_bytes(photo())
            until(lambda: messages.read_text().count("\n") >= 2, process)
        listener.terminate()
    config, row = (json.loads(line) for line in messages.read_text().splitlines()[:2])
    assert config["topic"] == "homeassistant/sensor/foodsort/config"
    sensor = json.loads(config["payload"])
    assert sensor["state_topic"] == sensor["json_attributes_topic"] == row["topic"] == "foodsort/photo"
    assert json.loads(row["payload"])["path"] == "food/soup.jpg"
