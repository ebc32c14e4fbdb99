"""Tells systemd how the service is: the protocol of sd_notify(3), one datagram a state."""

import os
import socket
import time
from contextlib import suppress

_FEEDS = 4  # in the time after which systemd would end us


def notify(*states: str) -> None:
    """Sends states such as `READY=1`; does nothing where systemd has not asked for it. Never raises OSError."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        # Who asked may be gone by now; a stop must not fail for want of a listener.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as systemd:
            # A leading @ stands for the abstract namespace's zero byte.
            systemd.connect("\0" + address[1:] if address.startswith("@") else address)
            systemd.sendall("\n".join(states).encode())


class Watchdog:
    """systemd's watchdog (WatchdogSec=), which ends a service that does not feed it."""

    def __init__(self) -> None:
        given = os.environ.get("WATCHDOG_USEC", "")
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every_s = int(given) / 1e6 / _FEEDS if ours and given.isdigit() and int(given) else None
        self._next = 0.0

    def feed(self) -> None:
        """To be called often, as long as all is well, by who would no longer come here if it were not."""
        if self._every_s is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            notify("WATCHDOG=1")
