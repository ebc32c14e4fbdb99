"""Many requests for images at the same time."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, cast

import httpx
import pytest

from daemon.database import addresses, connections
from daemon.settings import Settings
from daemon.web.app import app
from daemon.web.images import CONCURRENT
from daemon.web.middleware import SecurityMiddleware
from daemon.web.photo_features import PhotoFeatures
from daemon.web.thumbnails import ThumbnailCache


class Slow:
    """Images that take until `may_end` is set."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.may_end = Event()

    def thumbnail(self, photo_id: int) -> bytes:
        """Waits."""
        self.started.append(photo_id)
        assert self.may_end.wait(30)
        return b"image"

    large = explanation = thumbnail


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def page(tmp_path: Path, slow: Slow) -> Iterator[SecurityMiddleware]:
    """A page without photos whose images are slow."""
    engine = connections.connect(addresses.IN_MEMORY)
    yield app(tmp_path, Settings(), engine, engine, cast(ThumbnailCache, slow), cast(PhotoFeatures, None))
    engine.dispose()


def test_pages_are_served_while_many_images_are_made(page: SecurityMiddleware, slow: Slow) -> None:
    async def requests() -> None:
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(page), base_url="http://127.0.0.1") as client,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(60):
                tasks.create_task(client.get(f"/photos/{number}/large.jpg"))
            try:
                async with asyncio.timeout(20):
                    while len(slow.started) < CONCURRENT:
                        await asyncio.sleep(0.01)
                    assert (await client.get("/cards")).status_code == 200
                assert len(slow.started) == CONCURRENT
            finally:
                slow.may_end.set()

    asyncio.run(requests())
    assert sorted(slow.started) == list(range(60))


def test_no_image_is_made_for_a_client_that_has_disconnected(page: SecurityMiddleware, slow: Slow) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/photos/1/large.jpg",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None: ...

    asyncio.run(page(scope, receive, send))
    assert slow.started == []
