import pytest

from daemon.web import auth
from daemon.web.auth import Sessions

TOKEN = "a token that is long enough"


def test_a_session_begins_with_the_token_and_holds_no_trace_of_it() -> None:
    sessions = Sessions(TOKEN)
    cookie = sessions.begin(TOKEN, "127.0.0.1")
    assert cookie is not None
    assert TOKEN not in cookie
    assert sessions.holds(cookie)
    for other in ("", TOKEN, cookie + "0", "9" + cookie, cookie.replace(".", "x"), "é.é"):
        assert not sessions.holds(other)
    assert not Sessions(TOKEN).holds(cookie)


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(TOKEN)
    monkeypatch.setattr(auth, "LASTS_S", 0)
    cookie = sessions.begin(TOKEN, "127.0.0.1")
    assert cookie is not None
    assert not sessions.holds(cookie)


def test_without_a_token_anybody_may_look() -> None:
    assert Sessions("").holds("")
    assert not Sessions("").asked_for


def test_what_every_change_has_to_send_differs_from_session_to_session_and_from_start_to_start() -> None:
    sessions = Sessions(TOKEN)
    one, other = sessions.begin(TOKEN, "::1"), sessions.begin(TOKEN, "::1")
    assert one is not None
    assert other is not None
    assert len({sessions.csrf(one), sessions.csrf(other), sessions.csrf(""), Sessions(TOKEN).csrf(one)}) == 4


@pytest.mark.parametrize(
    ("client", "neighbour", "stranger"),
    [("10.0.0.1", "10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")],
)
def test_wrong_tokens_make_an_address_wait_and_no_other(client: str, neighbour: str, stranger: str) -> None:
    sessions = Sessions(TOKEN)
    for _ in range(5):
        assert sessions.wait_s(client) == 0
        assert sessions.begin("wrong", client) is None
    assert 0 < sessions.wait_s(client) <= 61
    assert sessions.wait_s(neighbour) > 0
    assert sessions.wait_s(stranger) == 0


def test_the_right_token_is_not_counted() -> None:
    sessions = Sessions(TOKEN)
    for _ in range(40):
        assert sessions.begin(TOKEN, "10.0.0.1")
    assert sessions.wait_s("10.0.0.1") == 0
