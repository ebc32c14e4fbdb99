"""Responses to requests that no page of the server makes, over HTTP."""

import asyncio
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from PIL import Image

from daemon.database import addresses, connections
from daemon.settings import Settings
from daemon.web.app import app
from daemon.web.photo_features import PhotoFeatures
from daemon.web.thumbnails import ThumbnailCache
from tests.daemon.web.conftest import reviewing, sort

pytestmark = pytest.mark.slow

TOKEN = "a token that is long enough"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one photo."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 0, 40)).save(file, "JPEG")
    return sort(tmp_path_factory.mktemp("middleware") / "root", {"soup.jpg": file.getvalue()})


@pytest.fixture(scope="module")
def address(photos: Path) -> Iterator[str]:
    """The page without a token."""
    with reviewing(photos) as address:
        yield address


@pytest.fixture(scope="module")
def locked(photos: Path) -> Iterator[str]:
    """The page with a token."""
    with reviewing(photos, FOODSORT_WEB__TOKEN=TOKEN) as address:
        yield address


def csrf(client: httpx.Client, path: str = "/") -> str:
    token = re.search(r'name="csrf" content="([0-9a-f]{64})"', client.get(path).text)
    assert token
    return token[1]


def own_headers(address: str, token: str) -> dict[str, str]:
    """Headers of a change that a page of this server makes."""
    return {"Origin": address, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}


def withdraw(client: httpx.Client, headers: dict[str, str]) -> int:
    return client.post("/withdraw", json={"ids": [999]}, headers=headers).status_code


@pytest.mark.parametrize("host", ["localhost:{port}", "localhost", "127.0.0.1:1", "[::1]:{port}", "LOCALHOST"])
def test_requests_to_a_name_of_this_machine_are_answered(address: str, host: str) -> None:
    port = address.rpartition(":")[2]
    assert httpx.get(address, headers={"Host": host.format(port=port)}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.168.0.9", ""]
)
def test_requests_to_another_name_that_resolves_here_are_refused(address: str, host: str) -> None:
    for path in ("/", "/photos/1/thumb.jpg", "/static/page.js"):
        assert httpx.get(address + path, headers={"Host": host}).status_code == 421


def test_a_change_needs_our_origin_and_the_token_of_our_page(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        token = csrf(client)
        good = own_headers(address, token)
        assert withdraw(client, good) == 200
        assert withdraw(client, good | {"Origin": "https://evil.example"}) == 403
        assert withdraw(client, good | {"Origin": address.replace("127.0.0.1", "localhost")}) == 403
        assert withdraw(client, good | {"Origin": "null"}) == 403
        assert withdraw(client, good | {"Origin": "http://["}) == 403
        assert withdraw(client, good | {"Sec-Fetch-Site": "cross-site"}) == 403
        assert withdraw(client, good | {"Sec-Fetch-Site": "same-site"}) == 403
        assert withdraw(client, good | {"X-CSRF-Token": "0" * 64}) == 403
        for name in ("Origin", "X-CSRF-Token"):
            assert withdraw(client, {key: value for key, value in good.items() if key != name}) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_link_to_the_page_and_embed_nothing(address: str, site: str) -> None:
    def status(path: str, mode: str, dest: str) -> int:
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        return httpx.get(address + path, headers=headers).status_code

    assert status("/photo/1", "navigate", "document") == 200
    assert status("/photo/1", "navigate", "iframe") == 403
    assert status("/photos/1/thumb.jpg", "no-cors", "image") == 403
    assert status("/static/page.js", "no-cors", "script") == 403
    assert status("/cards", "cors", "empty") == 403


def test_get_changes_nothing(address: str) -> None:
    for path in ("/label", "/withdraw", "/retry", "/delete", "/logout"):
        assert httpx.get(address + path).status_code == 405
    assert httpx.put(address + "/label").status_code == 405
    assert httpx.request("OPTIONS", address + "/label").status_code == 405


def test_a_change_that_is_too_large_or_invalid_is_refused_with_a_message(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        headers = own_headers(address, csrf(client))
        assert client.post("/label", content=b" " * (65 << 10), headers=headers).status_code == 413
        bodies: tuple[object, ...] = (
            {},
            {"ids": []},
            {"ids": ["1"], "label": "food"},
            {"ids": [1], "label": "cat"},
            {"ids": [2**63], "label": "food"},
            [1],
        )
        for body in bodies:
            answer = client.post("/label", json=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["message"].startswith("The request is not valid")


def test_every_response_has_the_security_headers(address: str) -> None:
    for path in ("/", "/photo/1", "/failed", "/photos/1/thumb.jpg?v=1", "/static/review.css", "/photo/99", "/nothing"):
        answer = httpx.get(address + path).headers
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == answer["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "server" not in answer


def test_an_unexpected_error_has_a_message_and_the_security_headers(tmp_path: Path) -> None:
    engine, broken = connections.connect(addresses.IN_MEMORY), cast(ThumbnailCache, None)
    page = app(tmp_path, Settings(), engine, engine, broken, cast(PhotoFeatures, None))
    transport = httpx.ASGITransport(page, raise_app_exceptions=False)

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get("/photos/1/thumb.jpg")

    answer = asyncio.run(get())
    engine.dispose()
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_has_inline_scripts_or_styles(address: str) -> None:
    for path in ("/", "/photo/1", "/failed", "/photo/99", "/login"):
        text = httpx.get(address + path).text
        assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", text), path


def test_browsers_cache_images_forever_under_the_sha256_of_their_photo(address: str) -> None:
    named = re.search(r"/photos/1/thumb\.jpg\?v=[0-9a-f]{64}", httpx.get(address).text)
    assert named
    picture = httpx.get(address + named[0])
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert picture.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert httpx.get(address).headers["Cache-Control"] == "private, no-cache"
    gone = httpx.get(address + "/photos/99/thumb.jpg?v=1")
    assert (gone.status_code, gone.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/photo/99", 404), ("/docs", 404), ("/openapi.json", 404), ("/static/../app.py", 404), ("/?show=cats", 400)),
        *(("/?since=0001-01-01", 400), ("/?until=9999-12-31", 400), ("/?since=2026-11-01&after=%00~1", 400)),
        *(("/?since=soon", 400), ("/?after=x", 400), ("/cards?newer=x", 400), ("/cards?ids=1,x", 400)),
        ("/photos/1/etc.jpg", 404),
        *((f"/photo/{'1' * 4400}", 404), (f"/photos/{'1' * 4400}/large.jpg", 404)),
        ("/photo/99999999999999999999999", 404),
        ("/photos/99999999999999999999999/thumb.jpg", 404),
        ("/cards?after=99999999999999999999999", 400),
    ],
)
def test_invalid_addresses_have_a_message(address: str, path: str, status: int) -> None:
    answer = httpx.get(address + path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_without_the_token_nothing_can_be_seen_or_changed(locked: str) -> None:
    with httpx.Client(base_url=locked) as client:
        page = client.get("/photo/1?show=food")
        assert (page.status_code, page.headers["Location"]) == (303, "/login?next=%2Fphoto%2F1%3Fshow%3Dfood")
        assert client.get("/photos/1/thumb.jpg", headers={"Sec-Fetch-Mode": "no-cors"}).status_code == 401
        assert client.get("/cards", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
        assert client.get("/cards", headers={"X-Requested-With": "foodsort"}).status_code == 401
        assert withdraw(client, own_headers(locked, csrf(client, "/login"))) == 401
        assert "soup" not in client.get("/login").text


def test_the_token_opens_the_page_until_sign_out(locked: str) -> None:
    with httpx.Client(base_url=locked) as client:
        form = {"csrf": csrf(client, "/login"), "token": TOKEN, "next": "/photo/1"}
        answer = client.post("/login", data=form, headers={"Origin": locked})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/photo/1")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        assert client.get("/photo/1").status_code == 200
        picture = client.get("/photos/1/thumb.jpg?v=1")
        assert picture.headers["Cache-Control"] == "private, no-cache"
        headers = {"If-None-Match": picture.headers["ETag"]}
        assert client.get("/photos/1/thumb.jpg?v=1", headers=headers).status_code == 304
        assert client.get("/photos/1/large.jpg?v=1", headers={"If-None-Match": '"0"'}).status_code == 200
        assert withdraw(client, own_headers(locked, csrf(client))) == 200
        out = client.post("/logout", data={"csrf": csrf(client)}, headers={"Origin": locked})
        assert out.headers["Location"] == "/login"
        assert out.headers["Clear-Site-Data"] == '"cache"'
        assert client.get("/photo/1").status_code == 303
        assert client.get("/photos/1/thumb.jpg?v=1", headers=headers).status_code == 303


@pytest.mark.parametrize(
    "onward", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\t//x"]
)
def test_signing_in_redirects_to_no_other_site(locked: str, onward: str) -> None:
    with httpx.Client(base_url=locked) as client:
        form = {"csrf": csrf(client, "/login"), "token": TOKEN, "next": onward}
        assert client.post("/login", data=form, headers={"Origin": locked}).headers["Location"] == "/"


def test_an_outdated_form_starts_no_session(locked: str) -> None:
    form = {"csrf": "0" * 64, "token": TOKEN, "next": "//evil.example"}
    with httpx.Client(base_url=locked) as client:
        answer = client.post("/login", data=form, headers={"Origin": locked})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2F%2Fevil.example")
        assert "Set-Cookie" not in answer.headers
        assert 'name="next" value="/"' in client.get(answer.headers["Location"]).text
        assert client.post("/login", data=form, headers={"Origin": "https://evil.example"}).status_code == 403


def test_without_a_token_the_form_redirects(address: str) -> None:
    for onward, place in (("/failed", "/failed"), ("//%5B", "/"), ("/%09/%5B", "/")):
        answer = httpx.get(f"{address}/login?next={onward}")
        assert (answer.status_code, answer.headers["Location"]) == (303, place)


def test_wrong_tokens_are_soon_delayed(photos: Path) -> None:
    with reviewing(photos, FOODSORT_WEB__TOKEN=TOKEN) as address, httpx.Client(base_url=address) as client:
        form = {"csrf": csrf(client, "/login"), "token": "wrong"}
        headers = {"Origin": address, "X-Forwarded-For": "10.9.8.7"}
        codes = [client.post("/login", data=form, headers=headers).status_code for _ in range(6)]
        assert codes == [403] * 5 + [429]
        answer = client.post("/login", data=form | {"token": TOKEN}, headers=headers | {"X-Forwarded-For": "10.9.8.8"})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert "seconds" in answer.text
