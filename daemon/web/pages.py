"""Pages with photos: the gallery, more of its cards, one photo, the failed ones."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from daemon.web import formatting
from daemon.web.filters import GalleryFilters, parse
from daemon.web.gallery import LAST_ID, Page
from daemon.web.services import services
from daemon.web.templating import render

_MOST_IDS = 200


def gallery(request: Request) -> Response:
    """The first photos that pass the filters; the page's script asks for more as the person scrolls."""
    filters = parse(request.query_params)
    page = services(request).gallery.page(filters, request.query_params.get("after", ""))
    return render(request, "gallery.html", {"filters": filters, "page": page, "section": "photos"})


def cards(request: Request) -> Response:
    """Cards alone: those after a photo (`after`), those that arrived since one (`newer`), or those with given `ids`."""
    parameters = request.query_params
    filters = parse(parameters)
    photos = services(request).gallery
    if "ids" in parameters:
        page = Page(photos.cards([parse_id(number) for number in parameters["ids"].split(",")[:_MOST_IDS]]))
    elif "newer" in parameters:
        page = photos.newer(filters, parse_id(parameters["newer"]))
    else:
        page = photos.page(filters, parameters.get("after", ""))
    return render(request, "cards.html", {"filters": filters, "page": page})


def photo(request: Request) -> Response:
    """One photo, with all facts about it."""
    shared = services(request)
    filters = parse(request.query_params)
    photo_id = request.path_params["photo_id"]
    row = shared.gallery.photo(photo_id) if photo_id <= LAST_ID else None
    if row is None:
        raise HTTPException(404, f"There is no photo {photo_id}.")
    newer, older = shared.gallery.neighbours(filters, row)
    context = {
        "filters": filters,
        "photo": row,
        "newer": newer,
        "older": older,
        "facts": formatting.facts(row, shared.gallery.companions(photo_id) if row["companions"] else []),
        "history": shared.changes.history(photo_id),
        "model_sha256": shared.thumbnails.bundle.sha256,
        "section": "photos",
    }
    return render(request, "photo.html", context)


def failed(request: Request) -> Response:
    """The photos that could not be decoded, each with the reason; `/failures` is the list alone."""
    filters = GalleryFilters(show="failed")
    page = services(request).gallery.page(filters, request.query_params.get("after", ""))
    template = "failures.html" if request.url.path == "/failures" else "failed.html"
    return render(request, template, {"filters": filters, "page": page, "section": "failed"})


def parse_id(text: str) -> int:
    """Parses the id of a photo in an address. Raises HTTPException."""
    if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) > LAST_ID:
        raise HTTPException(400, "The address has no valid photo number.")
    return int(text)
