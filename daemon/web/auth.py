"""Sessions: everyone who can reach the page may see it, unless a token is set, which they have to enter."""

import hashlib
import hmac
import secrets
import time
from ipaddress import ip_address

from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

SESSION_S = 30 * 86400
"""How long a session lasts (s); a restart of the page ends all sessions."""

_ATTEMPTS = (RateLimitItemPerMinute(5), RateLimitItemPerHour(30))


def cookie_name(request: Request) -> str:
    """The cookie's name, with the port: browsers send the cookies of one port to all ports of a host."""
    return f"foodsort_session_{request.url.port or request.url.scheme}"


def session_cookie(request: Request) -> str:
    """The session's cookie; empty without one."""
    return request.cookies.get(cookie_name(request), "")


class Sessions:
    """Sessions of one run of the page, without a store: a cookie is a signed expiry time."""

    def __init__(self, token: str) -> None:
        """token: The token that people have to enter; empty for none."""
        self.has_token = bool(token)
        """Whether people have to enter a token."""
        self._token = token.encode()
        self._key = secrets.token_bytes(32)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def retry_after_s(self, client: str) -> int:
        """How long an address has to wait after too many wrong tokens (s); 0 if it need not."""
        network = _network(client)
        exceeded = [limit for limit in _ATTEMPTS if not self._limiter.test(limit, network)]
        ends = (self._limiter.get_window_stats(limit, network).reset_time for limit in exceeded)
        return max((int(end - time.time()) + 1 for end in ends), default=0)

    def start(self, token: str, client: str) -> str | None:
        """A cookie for the right token; None for a wrong one, which counts as an attempt of this address."""
        if not hmac.compare_digest(token.encode(), self._token):
            for limit in _ATTEMPTS:
                self._limiter.hit(limit, _network(client))
            return None
        expiry = f"{int(time.time()) + SESSION_S}.{secrets.token_urlsafe(8)}"
        return f"{expiry}.{self._sign('session', expiry)}"

    def is_valid(self, cookie: str) -> bool:
        """Whether requests with this cookie are answered."""
        if not self.has_token:
            return True
        expiry, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", expiry).encode()):
            return False
        return int(expiry.partition(".")[0]) > time.time()

    def csrf_token(self, cookie: str) -> str:
        """The token that each change of this session has to send, so that no other site's page can make one."""
        return self._sign("csrf", cookie)

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def _network(client: str) -> str:
    """The address that attempts are counted for: of IPv6 the first 64 bits, as a household has all addresses below."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    return str(address) if address.version == 4 else address.exploded[:19]
