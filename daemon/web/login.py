"""The form for the token, if one is set, and signing out."""

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from daemon.web.auth import SESSION_S, cookie_name, session_cookie
from daemon.web.services import services
from daemon.web.templating import render


async def page(request: Request) -> Response:
    """Shows the form; redirects to the photos if the token need not be entered."""
    target = request.query_params.get("next", "/")
    if services(request).sessions.is_valid(session_cookie(request)):
        return RedirectResponse(_local(target), 303)
    return _form(request, target)


async def login(request: Request) -> Response:
    """Starts a session if the token is right."""
    sessions = services(request).sessions
    client = request.client.host if request.client else ""
    fields = parse_qs((await request.body()).decode("latin-1"))
    token, target = (fields.get(name, [""])[0] for name in ("token", "next"))
    if retry_after_s := sessions.retry_after_s(client):
        response = _form(request, target, f"Too many attempts; try again in {retry_after_s} seconds.", 429)
        response.headers["Retry-After"] = str(retry_after_s)
        return response
    cookie = sessions.start(token, client)
    if cookie is None:
        return _form(request, target, "That is not the token.", 403)
    response = RedirectResponse(_local(target), 303)
    response.set_cookie(
        cookie_name(request),
        cookie,
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def logout(request: Request) -> Response:
    """Ends the session in this browser."""
    response = RedirectResponse("/login", 303)
    # Else Back would show photos from the cache. Browsers obey over https and on the loopback only.
    response.headers["Clear-Site-Data"] = '"cache"'
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
    return response


def _form(request: Request, target: str, problem: str = "", status: int = 200) -> Response:
    return render(request, "login.html", {"next": _local(target), "problem": problem}, status)


def _local(target: str) -> str:
    """Where to redirect to: an address of this page, never another site."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    is_local = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if is_local else "/"
