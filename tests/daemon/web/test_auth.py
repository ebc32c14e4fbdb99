import pytest

from daemon.web import auth
from daemon.web.auth import Sessions

TOKEN = "a token that is long enough"


def test_the_token_starts_a_session_whose_cookie_does_not_contain_it() -> None:
    sessions = Sessions(TOKEN)
    cookie = sessions.start(TOKEN, "127.0.0.1")
    assert cookie is not None
    assert TOKEN not in cookie
    assert sessions.is_valid(cookie)
    for other in ("", TOKEN, cookie + "0", "9" + cookie, cookie.replace(".", "x"), "é.é"):
        assert not sessions.is_valid(other)
    assert not Sessions(TOKEN).is_valid(cookie)


def test_a_session_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(TOKEN)
    monkeypatch.setattr(auth, "SESSION_S", 0)
    cookie = sessions.start(TOKEN, "127.0.0.1")
    assert cookie is not None
    assert not sessions.is_valid(cookie)


def test_without_a_token_no_session_is_needed() -> None:
    assert Sessions("").is_valid("")
    assert not Sessions("").has_token


def test_csrf_tokens_differ_between_sessions_and_between_restarts() -> None:
    sessions = Sessions(TOKEN)
    one, other = sessions.start(TOKEN, "::1"), sessions.start(TOKEN, "::1")
    assert one is not None
    assert other is not None
    assert (
        len(
            {
                sessions.csrf_token(one),
                sessions.csrf_token(other),
                sessions.csrf_token(""),
                Sessions(TOKEN).csrf_token(one),
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    ("client", "neighbour", "stranger"),
    [("10.0.0.1", "10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")],
)
def test_wrong_tokens_delay_their_own_network_only(client: str, neighbour: str, stranger: str) -> None:
    sessions = Sessions(TOKEN)
    for _ in range(5):
        assert sessions.retry_after_s(client) == 0
        assert sessions.start("wrong", client) is None
    assert 0 < sessions.retry_after_s(client) <= 61
    assert sessions.retry_after_s(neighbour) > 0
    assert sessions.retry_after_s(stranger) == 0


def test_the_right_token_is_not_counted_as_an_attempt() -> None:
    sessions = Sessions(TOKEN)
    for _ in range(40):
        assert sessions.start(TOKEN, "10.0.0.1")
    assert sessions.retry_after_s("10.0.0.1") == 0
