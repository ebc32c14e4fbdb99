"""The review page as an ASGI application."""

from asyncio import Semaphore
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from daemon.actions.context import ActionBusy
from daemon.settings import Settings
from daemon.web import actions, formatting, images, login, overview, pages
from daemon.web.auth import Sessions, cookie
from daemon.web.changes import PhotoChanges
from daemon.web.filters import FilterError
from daemon.web.gallery import Gallery, key
from daemon.web.middleware import SecurityMiddleware
from daemon.web.stats import Statistics
from daemon.web.thumbnails import ThumbnailCache
from models import __version__
from models.errors import FoodsortError

_HERE = Path(__file__).parent


class _Id(IntegerConvertor):
    regex = "[0-9]{1,19}"  # as many digits as LAST_ID has; Python does not read thousands of them


register_url_convertor("id", _Id())


def app(
    root: Path,
    settings: Settings,
    reading: sa.Engine,
    writing: sa.Engine,
    pictures: ThumbnailCache,
    host: str = "127.0.0.1",
) -> SecurityMiddleware:
    """The page of one root. reading, writing: its database. host: the address that is listened at."""
    sessions = Sessions(settings.web.token)
    page = Starlette(
        routes=[
            Route("/", pages.gallery),
            Route("/cards", pages.cards),
            Route("/photo/{photo_id:id}", pages.photo),
            Route("/failed", pages.failed),
            Route("/failures", pages.failed),
            Route("/overview", overview.page),
            Route("/photos/{photo_id:id}/{picture}.jpg", images.image),
            Route("/label", actions.label, methods=["POST"]),
            Route("/withdraw", actions.withdraw, methods=["POST"]),
            Route("/retry", actions.retry, methods=["POST"]),
            Route("/delete", actions.delete, methods=["POST"]),
            Route("/login", login.page, methods=["GET"]),
            Route("/login", login.login, methods=["POST"]),
            Route("/logout", login.logout, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        exception_handlers={
            HTTPException: _http_error,
            FoodsortError: _error,
            DBAPIError: _error,
            OSError: _error,
            Exception: _error,
        },
    )
    state = page.state
    state.root, state.settings, state.sessions = root, settings, sessions
    state.gallery, state.tally = Gallery(reading), Statistics(reading)
    state.pictures, state.desk = pictures, PhotoChanges(root, settings, writing)
    state.drawing = Semaphore(images.AT_ONCE)
    state.templates = _templates(state.gallery, sessions)
    # Not as Starlette's middleware: what nobody foresaw is answered outside of that.
    return SecurityMiddleware(page, sessions, host)


def _templates(gallery: Gallery, sessions: Sessions) -> Jinja2Templates:
    def common(request: Request) -> dict[str, Any]:
        csrf = sessions.csrf(cookie(request))
        return {
            "csrf": csrf,
            "failed_count": gallery.failed,
            "can_sign_out": sessions.asked_for,
            "version": __version__,
        }

    templates = Jinja2Templates(_HERE / "templates", context_processors=[common])
    templates.env.trim_blocks = templates.env.lstrip_blocks = True
    said = (
        *("label", "kind", "place", "sure", "share", "when", "size", "times"),
        *("counted", "days", "lasting"),
    )
    templates.env.filters |= {name: getattr(formatting, name) for name in said}
    templates.env.globals |= {"key": key, "count": formatting.count}
    for name in templates.env.list_templates():  # so that who asks first does not wait until they are compiled
        templates.env.get_template(name)
    return templates


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = "There is no such page." if error.status_code == 404 and error.detail == "Not Found" else error.detail
    return _told(request, said, error.status_code, error.headers)


async def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, FilterError):
        return _told(request, _sentence(str(error)), 400)
    if isinstance(error, FoodsortError):
        return _told(request, _sentence(str(error)), 503 if isinstance(error, ActionBusy) else 500)
    if isinstance(error, DBAPIError):
        return _told(request, f"The database cannot be used: {error.orig}.", 503)
    if isinstance(error, OSError):
        return _told(request, f"{error.filename or 'Something'}: {error.strerror or error}.", 500)
    return _told(request, "Something went wrong that should not; the terminal of foodsort review says where.", 500)


def _told(request: Request, said: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An error in words, as what asked can show it."""
    if request.method == "POST" and request.url.path != "/login":
        return JSONResponse({"said": said}, status, headers)
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(request, "error.html", {"said": said}, status, headers)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
