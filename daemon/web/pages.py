"""Pages that show photos: the gallery, more of its cards, one photo, the failed ones."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from daemon.web import formatting
from daemon.web.filters import GalleryFilters, read
from daemon.web.gallery import LAST_ID, Gallery, Page


def gallery(request: Request) -> Response:
    """The newest photos of those that are wanted; what follows comes as the person scrolls."""
    wanted = read(request.query_params)
    found = _gallery(request).page(wanted, request.query_params.get("after", ""))
    return _shown(request, "gallery.html", wanted, found, where="photos")


def cards(request: Request) -> Response:
    """Cards alone: those that follow a photo (`after`), that came since (`newer`), or that are named (`ids`)."""
    wanted, given = read(request.query_params), request.query_params
    if "ids" in given:
        found = Page(_gallery(request).cards([_number(one) for one in given["ids"].split(",")[:200]]))
    elif "newer" in given:
        found = _gallery(request).newer(wanted, _number(given["newer"]))
    else:
        found = _gallery(request).page(wanted, given.get("after", ""))
    return _shown(request, "cards.html", wanted, found)


def photo(request: Request) -> Response:
    """One photo, with all that is known of it."""
    wanted, photo_id = read(request.query_params), request.path_params["photo_id"]
    row = _gallery(request).photo(photo_id) if photo_id <= LAST_ID else None
    if row is None:
        raise HTTPException(404, f"There is no photo {photo_id}.")
    newer, older = _gallery(request).beside(wanted, row)
    history = request.app.state.desk.history(photo_id)
    said = {"wanted": wanted, "photo": row, "newer": newer, "older": older, "history": history, "where": "photos"}
    explained_by = request.app.state.pictures.explained_by
    return _rendered(request, "photo.html", {**said, "facts": formatting.facts(row), "explained_by": explained_by})


def failed(request: Request) -> Response:
    """The photos of which no picture could be made, each with the reason; `/failures` gives those that follow alone."""
    wanted = GalleryFilters(show="failed")
    found = _gallery(request).page(wanted, request.query_params.get("after", ""))
    alone = request.url.path == "/failures"
    return _shown(request, "failures.html" if alone else "failed.html", wanted, found, where="failed")


def _gallery(request: Request) -> Gallery:
    gallery: Gallery = request.app.state.gallery
    return gallery


def _number(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 20 or int(given) > LAST_ID:
        raise HTTPException(400, "The address names no photo.")
    return int(given)


def _shown(request: Request, name: str, wanted: GalleryFilters, found: Page, **more: object) -> Response:
    return _rendered(request, name, {"wanted": wanted, "page": found, **more})


def _rendered(request: Request, name: str, said: dict[str, object]) -> Response:
    answer: Response = request.app.state.templates.TemplateResponse(request, name, said)
    return answer
