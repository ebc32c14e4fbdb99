"""Pictures by the number of their row; never by a path."""

import hashlib

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from daemon.web.gallery import LAST_ID
from daemon.web.thumbnails import ImageUnavailable

AT_ONCE = 8
"""How many requests for pictures may have a thread, of 40 that all requests share: pages do not wait for pictures."""

_FOR_EVER = "private, max-age=31536000, immutable"
"""Where a token is asked for, the browser asks each time instead, whether it may still show what it has."""


async def image(request: Request) -> Response:
    """A small, a large, or an explaining picture of a photo; where there is none, why, in words."""
    state = request.app.state
    pictures, photo_id = state.pictures, request.path_params["photo_id"]
    make = {"thumb": pictures.thumbnail, "large": pictures.large, "why": pictures.why}.get(
        request.path_params["picture"]
    )
    if make is None or photo_id > LAST_ID:
        raise HTTPException(404)
    try:
        async with state.drawing:
            if await request.is_disconnected():  # somebody has scrolled on meanwhile
                return Response()
            data = await run_in_threadpool(make, photo_id)
    except ImageUnavailable as none:
        return PlainTextResponse(str(none), 404, {"Cache-Control": "no-store"})
    tag = f'"{hashlib.sha256(data).hexdigest()}"'
    headers = {"ETag": tag}
    if request.query_params.get("v") and not state.sessions.asked_for:
        # Other bytes, and the map of another model, have another digest, so another address.
        headers["Cache-Control"] = _FOR_EVER
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/jpeg", headers=headers)
