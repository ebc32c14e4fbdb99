"""Checks of every request, and security headers of every response."""

import hmac
import socket
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.auth import Sessions, session_cookie

MAX_BODY_BYTES = 64 << 10
"""Largest body of a request; a thousand ids take a tenth of it."""

_PUBLIC = ("/login", "/static/")
"""Paths that are answered without a session."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_ALL_INTERFACES = {"0.0.0.0", "::"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With no-referrer, browsers send `Origin: null` also for forms of this page.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class SecurityMiddleware:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, sessions: Sessions, host: str) -> None:
        """host: the address that the server listens on."""
        self._app = app
        self._sessions = sessions
        self._hosts = _LOOPBACK | {host.strip("[]").lower()}
        if host in _ALL_INTERFACES:
            self._hosts = self._hosts - _ALL_INTERFACES | {socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a request, or passes it to the application."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                response_headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    response_headers[name] = value
                response_headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        refusal = self._refusal(scope, headers)
        if not refusal and scope["method"] == "POST":
            body = await _read_body(receive)
            refusal = self._post_refusal(scope, headers, body)
            receive = _replay(body, receive)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._is_own_host(headers.get("host", ""), scope):
            names = ", ".join(sorted(self._hosts))
            return _text(421, f"This page does not answer under that name, only under {names}.")
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return _text(405, "Only GET and POST are allowed.")
        is_link = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not is_link:
            return _text(403, "Another site may link to this page, but not embed anything from it.")
        if scope["path"].startswith(_PUBLIC) or self._sessions.is_valid(session_cookie(Request(scope))):
            return None
        # Over http from another machine browsers send no Sec-Fetch headers; the page's own scripts send another one.
        by_script = "x-requested-with" in headers
        if scope["method"] == "GET" and not by_script and headers.get("sec-fetch-mode", "navigate") == "navigate":
            query = scope["query_string"].decode("latin-1")
            return _redirect_to_login(scope["path"] + (f"?{query}" if query else ""))
        return _text(401, "The session has ended; reload the page and enter the token.")

    def _post_refusal(self, scope: Scope, headers: Headers, body: bytes | None) -> Response | None:
        """The refusal of a request that another site's page made: browsers reveal that in three ways."""
        if body is None:
            return _text(413, f"The request is too large; send at most {MAX_BODY_BYTES:,} bytes.")
        origin = _split(headers.get("origin", "")).netloc.lower()
        if origin != headers["host"].lower() or headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _text(403, "Only this page can make changes, not another site.")
        token = headers.get("x-csrf-token") or _form_field(headers, body, "csrf")
        if not hmac.compare_digest(token.encode(), self._sessions.csrf_token(session_cookie(Request(scope))).encode()):
            if scope["path"] == "/login":  # a form from before the person signed in, in another tab
                return _redirect_to_login(_form_field(headers, body, "next"))
            return _text(403, "foodsort review was restarted after this page was loaded; reload the page.")
        return None

    def _is_own_host(self, host: str, scope: Scope) -> bool:
        """Whether the Host header names this server: another site may have its own name resolve to this address."""
        name = _split(f"//{host}").hostname or ""
        server = scope.get("server") or ("", 0)
        return name in self._hosts or name == server[0]  # an address, which no name server can give to another


def _split(address: str) -> SplitResult:
    """The parts of an address; empty ones if it is not valid."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _redirect_to_login(target: str) -> Response:
    return RedirectResponse("/login?next=" + quote(target, safe=""), 303)


def _form_field(headers: Headers, body: bytes, name: str) -> str:
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    return parse_qs(body.decode("latin-1")).get(name, [""])[0]


async def _read_body(receive: Receive) -> bytes | None:
    """A request's body; None if it is too large."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > MAX_BODY_BYTES:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes | None, receive: Receive) -> Receive:
    """A `receive` that returns a body that was read already."""
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body or b"", "more_body": False}])

    async def replayed() -> Message:
        for message in messages:
            return message
        return await receive()

    return replayed


def _text(status: int, message: str) -> Response:
    return PlainTextResponse(message + "\n", status)
