"""Tells systemd how the service is: the protocol of sd_notify(3), one datagram a state."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Sends a state such as `READY=1`; does nothing where systemd has not asked for it. Never raises OSError."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        # Who asked may be gone by now; a stop must not fail for want of a listener.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as systemd:
            # A leading @ stands for the abstract namespace's zero byte.
            systemd.connect("\0" + address[1:] if address.startswith("@") else address)
            systemd.sendall(state.encode())
