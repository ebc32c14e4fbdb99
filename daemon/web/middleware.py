"""What every request has to pass, and what every answer says to the browser."""

import hmac
import socket
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.auth import Sessions, cookie

MOST_BYTES = 64 << 10
"""Largest body of a request; a thousand ids take a tenth of it."""

_OPEN = ("/login", "/static/")
"""What is shown without a token."""
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_EVERYWHERE = {"0.0.0.0", "::"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with none, a browser hides from us that our own forms are our own (`Origin: null`)
    "X-Content-Type-Options": "nosniff",
}


class SecurityMiddleware:
    """ASGI middleware around the whole page."""

    def __init__(self, app: ASGIApp, sessions: Sessions, host: str) -> None:
        """host: the address that is listened at."""
        self._app, self._sessions = app, sessions
        self._hosts = _LOCAL | {host.strip("[]").lower()}
        if host in _EVERYWHERE:
            self._hosts = self._hosts - _EVERYWHERE | {socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers for the page what it must not see."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer[name] = value
                answer.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        refusal = self._refusal(scope, headers)
        if not refusal and scope["method"] == "POST":
            body = await _body(receive)
            refusal = self._change_refusal(scope, headers, body)
            receive = _again(body, receive)
        await (refusal or self._app)(scope, receive, marked)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._is_ours(headers.get("host", ""), scope):
            names = ", ".join(sorted(self._hosts))
            return _said(421, f"This page answers to {names}, not to the name that you called it by.")
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return _said(405, "Only GET and POST are answered.")
        followed = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not followed:
            return _said(403, "Another site may lead here, and show nothing of what is here.")
        if scope["path"].startswith(_OPEN) or self._sessions.holds(cookie(Request(scope))):
            return None
        # Over http from elsewhere browsers do not say what they ask for; the page's own scripts do.
        script = "x-requested-with" in headers
        if scope["method"] == "GET" and not script and headers.get("sec-fetch-mode", "navigate") == "navigate":
            asked = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
            return _to_login(asked)
        return _said(401, "The session is over; load the page again and say the token.")

    def _change_refusal(self, scope: Scope, headers: Headers, body: bytes | None) -> Response | None:
        """Why a change is not made: that another site's page asks for it, which a browser says in three ways."""
        if body is None:
            return _said(413, f"That is too much at a time; send {MOST_BYTES:,} bytes at most.")
        origin, fetched = headers.get("origin", ""), headers.get("sec-fetch-site", "same-origin")
        if _parts(origin).netloc.lower() != headers["host"].lower() or fetched != "same-origin":
            return _said(403, "Changes are made from this page alone, not from another site.")
        given = headers.get("x-csrf-token") or _field(headers, body, "csrf")
        if not hmac.compare_digest(given.encode(), self._sessions.csrf(cookie(Request(scope))).encode()):
            if scope["path"] == "/login":  # of another tab, where one has signed in since
                return _to_login(_field(headers, body, "next"))
            return _said(403, "This page is from before foodsort review was started anew; load it again.")
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        """Whether it was called by a name of its own: another site's name may have been made to lead here."""
        name = _parts(f"//{host}").hostname or ""
        server = scope.get("server") or ("", 0)
        return name in self._hosts or name == server[0]  # an address, which no name server gives out


def _parts(address: str) -> SplitResult:
    """An address taken apart; of what is none, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _to_login(onward: str) -> Response:
    return RedirectResponse("/login?next=" + quote(onward, safe=""), 303)


def _field(headers: Headers, body: bytes, name: str) -> str:
    """A form's field."""
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    return parse_qs(body.decode("latin-1")).get(name, [""])[0]


async def _body(receive: Receive) -> bytes | None:
    """A request's body; None when it is too large."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > MOST_BYTES:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes | None, receive: Receive) -> Receive:
    """Gives out a body that was read already."""
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body or b"", "more_body": False}])

    async def given() -> Message:
        for message in messages:
            return message
        return await receive()

    return given


def _said(status: int, message: str) -> Response:
    return PlainTextResponse(message + "\n", status)
