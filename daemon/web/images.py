"""Images of photos, addressed by the id of their row and never by a path."""

import hashlib

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from daemon.web.gallery import LAST_ID
from daemon.web.services import services
from daemon.web.thumbnails import ImageUnavailable

CONCURRENT = 8
"""Most requests for images that have a thread at the same time, of 40 threads for all requests."""

_CACHE_FOREVER = "private, max-age=31536000, immutable"


async def image(request: Request) -> Response:
    """A small, a large, or an explained image of a photo; if there is none, the reason as text."""
    shared = services(request)
    photo_id = request.path_params["photo_id"]
    thumbnails = shared.thumbnails
    make = {"thumb": thumbnails.thumbnail, "large": thumbnails.large, "why": thumbnails.explanation}.get(
        request.path_params["picture"]
    )
    if make is None or photo_id > LAST_ID:
        raise HTTPException(404)
    try:
        async with shared.image_slots:
            if await request.is_disconnected():  # the person has scrolled on
                return Response()
            jpeg = await run_in_threadpool(make, photo_id)
    except ImageUnavailable as error:
        return PlainTextResponse(str(error), 404, {"Cache-Control": "no-store"})
    etag = f'"{hashlib.sha256(jpeg).hexdigest()}"'
    headers = {"ETag": etag}
    # With a token, the browser has to ask each time whether it may still show an image.
    if request.query_params.get("v") and not shared.sessions.has_token:
        # Other bytes, or the map of another model, have another digest and so another address.
        headers["Cache-Control"] = _CACHE_FOREVER
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(jpeg, media_type="image/jpeg", headers=headers)
