"""Who may look: anybody who reaches the page, or, where a token is set, who has said it."""

import hashlib
import hmac
import secrets
import time
from ipaddress import ip_address

from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

LASTS_S = 30 * 86400
"""How long a session lasts, unless the page is started anew, which ends them all (s)."""

_TRIES = (RateLimitItemPerMinute(5), RateLimitItemPerHour(30))


def cookie_name(request: Request) -> str:
    """The cookie's name, with the port that the browser calls: it would send one page's cookie to all ports of a host."""
    return f"foodsort_session_{request.url.port or request.url.scheme}"


def cookie(request: Request) -> str:
    """The session's cookie; empty without one."""
    return request.cookies.get(cookie_name(request), "")


class Sessions:
    """Sessions of one run of the page. Nothing of them is kept: a cookie says until when it holds, under a seal."""

    def __init__(self, token: str) -> None:
        """token: what people have to say; empty where they need not."""
        self.asked_for = bool(token)
        """Whether there is a token to be said."""
        self._token, self._key = token.encode(), secrets.token_bytes(32)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def wait_s(self, client: str) -> int:
        """How long an address has to wait after too many wrong tokens (s); 0: not at all."""
        used_up = [limit for limit in _TRIES if not self._limiter.test(limit, _network(client))]
        ends = (self._limiter.get_window_stats(limit, _network(client)).reset_time for limit in used_up)
        return max((int(end - time.time()) + 1 for end in ends), default=0)

    def begin(self, said: str, client: str) -> str | None:
        """A cookie for who said the token; None for who said another, which is counted."""
        if not hmac.compare_digest(said.encode(), self._token):
            for limit in _TRIES:
                self._limiter.hit(limit, _network(client))
            return None
        until = f"{int(time.time()) + LASTS_S}.{secrets.token_urlsafe(8)}"
        return f"{until}.{self._seal('session', until)}"

    def holds(self, cookie: str) -> bool:
        """Whether who sends this cookie may look."""
        if not self.asked_for:
            return True
        until, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal("session", until).encode()):
            return False
        return int(until.partition(".")[0]) > time.time()

    def csrf(self, cookie: str) -> str:
        """What a page of this session has to send along with every change, so that no other site's page can make one."""
        return self._seal("csrf", cookie)

    def _seal(self, what: str, text: str) -> str:
        return hmac.new(self._key, f"{what}:{text}".encode(), hashlib.sha256).hexdigest()


def _network(client: str) -> str:
    """The address whose tries are counted; in IPv6 a household has 2⁶⁴ of them."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(address) if address.version == 4 else address.exploded[:19]
