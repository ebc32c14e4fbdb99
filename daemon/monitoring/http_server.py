"""Serves /metrics and /healthz over HTTP. A slow client delays neither a photo nor a stop."""

import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, MetricsHandler

from daemon.monitoring.health import Health
from models.errors import FoodsortError

log = structlog.get_logger()

_CLIENTS = 8  # answered at a time; each takes a thread and a descriptor, which photos need too
_CLIENT_S = 5.0  # longest time for a client to send or receive the next piece
_PAUSE_S = 0.1


class MetricsServer:
    """HTTP server that runs from its creation until `close`, in daemon threads."""

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        """Starts the server.

        Args:
            address: IP address and port to listen on.
            registry: Metrics to serve.
            health: Returns the health of the daemon; called for each request, in any thread.

        Raises:
            FoodsortError: The address is not available.
        """
        host, port = address
        try:
            self._server = _Server(host, port, registry, health)
        except OSError as error:
            raise FoodsortError(
                f"metrics.listen: nothing can be served at {host} port {port}: {error.strerror};"
                " set another address or port, or stop the program that listens there (`ss -ltnp` shows it)"
            ) from error
        self.address = address
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stops listening; requests under way end in their own threads."""
        self._server.closing.set()
        self._server.socket.shutdown(SHUT_RDWR)  # wakes the thread, which otherwise checks only twice a second
        self._server.shutdown()
        self._server.server_close()


class MetricsEndpoint:
    """The metrics server at the address that the settings name, if any."""

    def __init__(self, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        """Prepares the endpoint; see `MetricsServer` for the arguments."""
        self._registry = registry
        self._health = health
        self._server: MetricsServer | None = None

    def serve(self, address: tuple[str, int] | None) -> None:
        """Serves at another address from now on; None ends it.

        Raises:
            FoodsortError: The address is not available; the old one is still served.
        """
        if address == (self._server and self._server.address):
            return
        server = MetricsServer(address, self._registry, self._health) if address else None
        self.close()
        self._server = server

    def close(self) -> None:
        """Stops listening."""
        if self._server:
            self._server.close()
            self._server = None


class _Handler(MetricsHandler):
    timeout = _CLIENT_S
    server: "_Server"

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.command != "GET":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is allowed", Allow="GET")
            return False
        return True

    def do_GET(self) -> None:  # noqa: N802
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self.registry = self.server.registry
            super().do_GET()
        elif path == "/healthz":
            health = self.server.health()
            self._answer(HTTPStatus.OK if health.healthy else HTTPStatus.SERVICE_UNAVAILABLE, health.message)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "only /metrics and /healthz exist")

    def _answer(self, status: HTTPStatus, text: str, **headers: str) -> None:
        body = f"{text}\n".encode(errors="backslashreplace")
        self.send_response(status)
        headers |= {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingMixIn, TCPServer):
    """Not an HTTPServer: that asks a name server for this machine's name, and waits seconds if none answers."""

    allow_reuse_address = True  # after a restart the old connections linger
    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.registry = registry
        self.health = health
        self.closing = threading.Event()
        self._slots = threading.BoundedSemaphore(_CLIENTS)
        super().__init__((host, port), _Handler)

    def get_request(self) -> tuple[socket, Any]:
        try:
            return super().get_request()
        except OSError:
            # Out of descriptors: the client stays in the queue, and accept() would fail in a busy loop.
            self.closing.wait(_PAUSE_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        log.info("metrics request failed", client=client_address[0], reason=repr(sys.exception()))
