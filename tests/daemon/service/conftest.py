import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def notifications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Messages of the daemon to systemd, in order. A thread receives them, so that no send blocks."""
    path = str(tmp_path / "notify")
    messages: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)

        def receive() -> None:
            while message := listener.recv(4096):
                messages.append(message.decode())

        receiver = threading.Thread(target=receive)
        receiver.start()
        yield messages
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", path)
        receiver.join()
