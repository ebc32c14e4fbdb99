"""Two Syncthings on this machine that keep one folder in step, without any other network: a phone and a computer."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

FOLDER = "photos"
_START_S = 60.0


@dataclass(frozen=True)
class Device:
    """A running Syncthing.

    Attributes:
        device_id: How other devices know it.
        folder: The folder that it keeps in step.
        address: Where it listens for other devices.
    """

    device_id: str
    folder: Path
    address: str
    _api: str
    _key: str

    def call(self, path: str, body: object | None = None, method: str = "GET") -> Any:
        """Calls its REST API; returns the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._api}/rest/{path}", data, {"X-API-Key": self._key}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def scan(self) -> None:
        """Looks for changes now, and not only when it is told of one."""
        self.call(f"db/scan?folder={FOLDER}", method="POST")


@contextmanager
def pair(folder: Path, *folders: Path) -> Iterator[list[Device]]:
    """Starts a Syncthing for each folder, all of which are kept in step; their settings are in `folder`."""
    with ExitStack() as stack:
        devices = [stack.enter_context(_started(folder / f"device{n}", path)) for n, path in enumerate(folders)]
        for device in devices:
            others = [other for other in devices if other is not device]
            for other in others:
                known = {"deviceID": other.device_id, "addresses": [other.address], "autoAcceptFolders": False}
                device.call("config/devices", known, "POST")
            device.call(
                "config/folders",
                {
                    "id": FOLDER,
                    "path": str(device.folder),
                    "fsWatcherDelayS": 1,
                    "rescanIntervalS": 3600,
                    "devices": [{"deviceID": other.device_id} for other in devices],
                },
                "POST",
            )
        yield devices


@contextmanager
def _started(home: Path, folder: Path) -> Iterator[Device]:
    home.mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    command = [shutil.which("syncthing") or "syncthing"]
    made = subprocess.run(
        [*command, "generate", f"--home={home}", "--no-default-folder"], check=True, capture_output=True
    )
    listen, gui = f"tcp://127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
    key = _confine(home / "config.xml", listen, gui)
    device_id = re.search(r"([A-Z0-9]{7}(-[A-Z0-9]{7}){7})", (made.stdout + made.stderr).decode())
    assert device_id is not None
    with (home / "log").open("wb") as log:
        serve = [*command, "serve", f"--home={home}", "--no-browser", "--no-restart", "--no-upgrade"]
        process = subprocess.Popen(serve, stdout=log, stderr=log)
    device = Device(device_id[1], folder, listen, f"http://{gui}", key)
    try:
        _await(lambda: device.call("system/ping") is not None)
        yield device
    finally:
        process.terminate()
        process.wait(30)


def _confine(config: Path, listen: str, gui: str) -> str:
    """Turns off all that would leave this machine; returns the key of the API."""
    tree = ET.parse(config)
    options, api = tree.find("options"), tree.find("gui")
    assert options is not None
    assert api is not None
    values = {
        "listenAddress": listen,
        "globalAnnounceEnabled": "false",
        "localAnnounceEnabled": "false",
        "relaysEnabled": "false",
        "natEnabled": "false",
        "urAccepted": "-1",
        "autoUpgradeIntervalH": "0",
        "crashReportingEnabled": "false",
        "startBrowser": "false",
        "reconnectionIntervalS": "1",
    }
    for name, value in values.items():
        element = options.find(name)
        if element is None:
            element = ET.SubElement(options, name)
        element.text = value
    address, key = api.find("address"), api.find("apikey")
    assert address is not None
    assert key is not None
    address.text = gui
    tree.write(config)
    return str(key.text)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _await(done: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            if done():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "Syncthing does not answer"
        time.sleep(0.1)
