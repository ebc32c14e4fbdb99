"""Notifies systemd of the service's state: the protocol of sd_notify(3), one datagram for each call."""

import os
import socket
import time
from contextlib import suppress

EXTEND_TIMEOUT = f"EXTEND_TIMEOUT_USEC={300 * 10**6}"
"""Five more minutes for each of the longest steps of a start: migrating a database, loading a model."""

_FEEDS = 4  # in the time after which systemd would end the service


def notify(*states: str) -> None:
    """Sends states such as `READY=1`; does nothing without systemd. Never raises OSError."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        # The listener may be gone; a stop must not fail because of that.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as systemd:
            # A leading @ stands for the abstract namespace's zero byte.
            systemd.connect("\0" + address[1:] if address.startswith("@") else address)
            systemd.sendall("\n".join(states).encode())


class Watchdog:
    """Client of systemd's watchdog (WatchdogSec=), which ends a service that does not feed it."""

    def __init__(self) -> None:
        timeout_us = os.environ.get("WATCHDOG_USEC", "")
        is_ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        enabled = is_ours and timeout_us.isdigit() and int(timeout_us) > 0
        self._every_s = int(timeout_us) / 1e6 / _FEEDS if enabled else None
        self._next = 0.0

    def feed(self) -> None:
        """Feeds the watchdog when it is time to. The main loop calls it often; a stuck loop starves the watchdog."""
        if self._every_s is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            notify("WATCHDOG=1")
