"""HTML from the templates."""

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from daemon.settings import Settings
from daemon.web import formatting
from daemon.web.auth import Sessions, session_cookie
from daemon.web.gallery import Gallery, page_key
from daemon.web.services import services
from models import __version__

FOLDER = Path(__file__).parent

_FILTERS = (
    formatting.certainty,
    formatting.date_range,
    formatting.duration,
    formatting.error_kind,
    formatting.label,
    formatting.label_counts,
    formatting.local_time,
    formatting.place,
    formatting.probability,
    formatting.sentence,
    formatting.size,
    formatting.times,
)


def open_templates(gallery: Gallery, sessions: Sessions, settings: Settings) -> Jinja2Templates:
    """The templates, compiled, with the variables that every page has."""

    def common(request: Request) -> dict[str, object]:
        return {
            "csrf": sessions.csrf_token(session_cookie(request)),
            "failed_count": gallery.failed,
            "can_sign_out": sessions.has_token,
            "folders": settings.folders,
            "version": __version__,
        }

    templates = Jinja2Templates(FOLDER / "templates", context_processors=[common])
    templates.env.trim_blocks = templates.env.lstrip_blocks = True
    templates.env.filters |= {function.__name__: function for function in _FILTERS}
    templates.env.globals |= {"page_key": page_key, "count": formatting.count}
    for name in templates.env.list_templates():  # so that the first request does not wait for them
        templates.env.get_template(name)
    return templates


def render(
    request: Request,
    template: str,
    context: Mapping[str, object],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response with a page."""
    templates = services(request).templates
    return templates.TemplateResponse(request, template, dict(context), status, headers)
