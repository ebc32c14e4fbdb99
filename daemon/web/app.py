"""The review page as an ASGI application."""

from asyncio import Semaphore
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from daemon.actions.context import ActionBusy
from daemon.learning.jobs import JobRunning, Jobs
from daemon.settings import Settings
from daemon.web import actions, images, login, model_page, model_state, overview, pages, teach
from daemon.web.auth import Sessions
from daemon.web.changes import PhotoChanges
from daemon.web.filters import FilterError
from daemon.web.gallery import Gallery
from daemon.web.middleware import SecurityMiddleware
from daemon.web.photo_features import PhotoFeatures
from daemon.web.services import Services
from daemon.web.stats import Statistics
from daemon.web.teacher import Teacher
from daemon.web.templating import FOLDER, open_templates, render
from daemon.web.thumbnails import ThumbnailCache
from models.errors import FoodsortError


class _IdConvertor(IntegerConvertor):
    regex = "[0-9]{1,19}"  # as many digits as LAST_ID; Python refuses to parse thousands of them


register_url_convertor("id", _IdConvertor())


def app(
    root: Path,
    settings: Settings,
    reading: sa.Engine,
    writing: sa.Engine,
    thumbnails: ThumbnailCache,
    features: PhotoFeatures,
    host: str = "127.0.0.1",
) -> SecurityMiddleware:
    """Assembles the application.

    Args:
        root: The root folder.
        settings: Its settings.
        reading: Its database, for queries.
        writing: Its database, for changes.
        thumbnails: JPEGs of its photos.
        features: Their features, by which photos to label are chosen.
        host: The address that the server listens on.
    """
    sessions = Sessions(settings.web.token)
    gallery = Gallery(reading)
    starlette = Starlette(
        routes=_routes(),
        exception_handlers={
            HTTPException: _http_error,
            FoodsortError: _error,
            DBAPIError: _error,
            OSError: _error,
            Exception: _error,
        },
    )
    starlette.state.services = Services(
        root=root,
        settings=settings,
        reading=reading,
        writing=writing,
        sessions=sessions,
        gallery=gallery,
        statistics=Statistics(reading),
        thumbnails=thumbnails,
        changes=PhotoChanges(root, settings, writing),
        teacher=Teacher(reading, features, lambda: model_state.read(root, settings)),
        jobs=Jobs(root, settings.folders),
        templates=open_templates(gallery, sessions, settings),
        image_slots=Semaphore(images.CONCURRENT),
    )
    # Not as Starlette's own middleware: unexpected errors are answered outside of that.
    return SecurityMiddleware(starlette, sessions, host)


def _routes() -> list[BaseRoute]:
    return [
        Route("/", pages.gallery),
        Route("/cards", pages.cards),
        Route("/photo/{photo_id:id}", pages.photo),
        Route("/failed", pages.failed),
        Route("/failures", pages.failed),
        Route("/overview", overview.page),
        Route("/teach", teach.page),
        Route("/teach/result", teach.result),
        Route("/teach/answer", teach.answer, methods=["POST"]),
        Route("/teach/undo", teach.undo, methods=["POST"]),
        Route("/model", model_page.page),
        Route("/model/job", model_page.job),
        *(Route(f"/model/{change.__name__}", change, methods=["POST"]) for change in model_page.CHANGES),
        Route("/photos/{photo_id:id}/{picture}.jpg", images.image),
        Route("/label", actions.label, methods=["POST"]),
        Route("/withdraw", actions.withdraw, methods=["POST"]),
        Route("/retry", actions.retry, methods=["POST"]),
        Route("/delete", actions.delete, methods=["POST"]),
        Route("/login", login.page, methods=["GET"]),
        Route("/login", login.login, methods=["POST"]),
        Route("/logout", login.logout, methods=["POST"]),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    unrouted = error.status_code == 404 and error.detail == "Not Found"
    message = "This page does not exist." if unrouted else error.detail
    return _error_response(request, message, error.status_code, error.headers)


async def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, FilterError):
        return _error_response(request, _sentence(str(error)), 400)
    if isinstance(error, FoodsortError):
        return _error_response(
            request, _sentence(str(error)), 503 if isinstance(error, ActionBusy | JobRunning) else 500
        )
    if isinstance(error, DBAPIError):
        return _error_response(request, f"The database cannot be used: {error.orig}.", 503)
    if isinstance(error, OSError):
        return _error_response(request, f"{error.filename or 'Something'}: {error.strerror or error}.", 500)
    return _error_response(
        request, "Something went wrong unexpectedly; the terminal of foodsort review shows the error.", 500
    )


def _error_response(request: Request, message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An error as JSON for the page's scripts, and else as a page."""
    if request.method == "POST" and request.url.path != "/login":
        return JSONResponse({"message": message}, status, headers)
    return render(request, "error.html", {"message": message}, status, headers)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
