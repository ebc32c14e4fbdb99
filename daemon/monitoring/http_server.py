"""/metrics and /healthz over HTTP. Whoever asks, however slowly, holds up neither a photo nor a stop."""

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

_CLIENTS = 8  # answered at a time; each takes a thread and a descriptor, of which photos need some too
_CLIENT_S = 5.0  # how long one may take to send or take the next piece
_PAUSE_S = 0.1


class MetricsServer:
    """Serves from when it is made until it is closed, in threads that keep no process alive."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        """Raises FoodsortError when the address cannot be listened at."""
        try:
            self._server = _Server(host, port, registry, health)
        except OSError as error:
            raise FoodsortError(
                f"metrics.listen: nothing can be served at {host} port {port}: {error.strerror};"
                " set another address or port, or end what listens there (`ss -ltnp` shows it)"
            ) from error
        self.address = host, port
        """Where it serves."""
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stops listening; answers that are under way are left to themselves."""
        self._server.closing.set()
        self._server.socket.shutdown(SHUT_RDWR)  # wakes the thread, which would look up only twice a second
        self._server.shutdown()
        self._server.server_close()


class _Handler(MetricsHandler):
    timeout = _CLIENT_S
    server: "_Server"

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.command != "GET":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered", Allow="GET")
            return False
        return True

    def do_GET(self) -> None:  # noqa: N802
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self.registry = self.server.registry
            super().do_GET()
        elif path == "/healthz":
            well, text = self.server.health()
            self._answer(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, text)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "there are /metrics and /healthz")

    def _answer(self, status: HTTPStatus, text: str, **headers: str) -> None:
        body = f"{text}\n".encode(errors="backslashreplace")
        self.send_response(status)
        headers |= {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingMixIn, TCPServer):
    """Not an HTTPServer, which asks a name server, for seconds where none answers, what this machine is called."""

    allow_reuse_address = True  # after a restart the old connections linger
    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.registry = registry
        self.health = health
        self.closing = threading.Event()
        self._free = threading.BoundedSemaphore(_CLIENTS)
        super().__init__((host, port), _Handler)

    def get_request(self) -> tuple[socket, Any]:
        try:
            return super().get_request()
        except OSError:
            # Without a descriptor for it a client stays in the queue, and would be met there again and again.
            self.closing.wait(_PAUSE_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, _request: Any, client_address: Any) -> None:
        log.info("a client of the metrics was not answered", client=client_address[0], reason=repr(sys.exception()))
