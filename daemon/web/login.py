"""The token, where one is set: a form that asks for it, and the way out."""

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from daemon.web.auth import LASTS_S, Sessions, cookie, cookie_name


async def page(request: Request) -> Response:
    """The form; for who need not say the token, on to the photos."""
    onward = request.query_params.get("next", "/")
    holds = request.app.state.sessions.holds(cookie(request))
    return RedirectResponse(_own(onward), 303) if holds else _form(request, onward)


async def login(request: Request) -> Response:
    """Begins a session for who says the token."""
    sessions: Sessions = request.app.state.sessions
    client = request.client.host if request.client else ""
    said = parse_qs((await request.body()).decode("latin-1"))
    token, onward = (said.get(name, [""])[0] for name in ("token", "next"))
    if wait_s := sessions.wait_s(client):
        answer = _form(request, onward, f"There were too many tries; try again in {wait_s} seconds.", 429)
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    begun = sessions.begin(token, client)
    if begun is None:
        return _form(request, onward, "That is not the token.", 403)
    answer = RedirectResponse(_own(onward), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), begun, max_age=LASTS_S, httponly=True, samesite="strict", secure=secure)
    return answer


async def logout(request: Request) -> Response:
    """Ends the session in this browser."""
    answer = RedirectResponse("/login", 303)
    # What Back would show, too; browsers obey over https and on loopback alone.
    answer.headers["Clear-Site-Data"] = '"cache"'
    answer.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
    return answer


def _form(request: Request, onward: str, problem: str = "", status: int = 200) -> Response:
    said = {"next": _own(onward), "problem": problem}
    answer: Response = request.app.state.templates.TemplateResponse(request, "login.html", said, status)
    return answer


def _own(onward: str) -> str:
    """Where to go on to: a place of this page, never another site."""
    try:
        parts = urlsplit(onward)
    except ValueError:
        return "/"
    own = onward.startswith("/") and not onward.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return onward if own else "/"
