"""What a person does to photos: labels, undo, another try, removal. Each answers what became of every photo."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daemon.actions.result import ActionResult
from daemon.web import formatting
from daemon.web.changes import LabelIds
from daemon.web.filters import read
from daemon.web.gallery import LAST_ID, Page
from models.filenames import escape_name
from models.plurals import is_or_are

Ids = Annotated[list[Annotated[int, Field(ge=0, le=LAST_ID)]], Field(min_length=1, max_length=200)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Some(_Asked):
    ids: Ids


class _Label(_Some):
    label: Literal["food", "non_food"]


class _Labels(_Some):
    labels: Ids | None = None

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.labels is not None and len(self.labels) != len(self.ids):
            raise ValueError("there are not as many labels as photos")
        return self


class _SomeOrAll(_Asked):
    ids: Ids | None


async def label(request: Request) -> Response:
    """Gives photos a person's label."""
    asked, desk = await _asked(request, _Label), request.app.state.desk
    return await _done(
        request, f"{formatting.label(asked.label)} now", asked.ids, lambda: desk.label(asked.ids, asked.label)
    )


async def withdraw(request: Request) -> Response:
    """Takes labels back: those that are named, or else the newest of each photo."""
    asked, desk = await _asked(request, _Labels), request.app.state.desk
    return await _done(request, "as before", asked.ids, lambda: desk.withdraw(asked.ids, asked.labels))


async def retry(request: Request) -> Response:
    """Has failed photos sorted again."""
    asked, desk = await _asked(request, _SomeOrAll), request.app.state.desk
    return await _done(request, "in the inbox, to be sorted again", [], lambda: (desk.retry(asked.ids), {}))


async def delete(request: Request) -> Response:
    """Removes failed photos for good."""
    asked, desk = await _asked(request, _Some), request.app.state.desk
    return await _done(request, "deleted", [], lambda: (desk.delete(asked.ids), {}))


async def _asked(request: Request, form: type[Any]) -> Any:
    try:
        return form.model_validate_json(await request.body())
    except ValidationError as error:
        raise HTTPException(400, f"That cannot be asked for: {error.errors()[0]['msg']}.") from error


async def _done(
    request: Request, outcome: str, shown_ids: list[int], do: Callable[[], tuple[list[ActionResult], LabelIds]]
) -> Response:
    """Does it, and answers in words. outcome: what photos are afterwards. shown_ids: those whose cards are shown anew."""

    def work() -> dict[str, Any]:
        backs, labels = do()
        done = [back for back in backs if not back.problem]
        some = _name(done[0]) if len(done) == 1 else formatting.count(len(done), "photo")
        return {
            "done": [back.photo.id for back in done],
            "labels": list(labels.items()),
            "said": f"{some} {is_or_are(len(done))} {outcome}" if done else "",
            "outcome": outcome,
            "problems": [f"{_name(back)} {back.problem}" for back in backs if back.problem],
            "cards": _cards(request, shown_ids),
            "failed": request.app.state.gallery.failed(),
        }

    return JSONResponse(await run_in_threadpool(work))


def _cards(request: Request, ids: list[int]) -> str:
    state = request.app.state
    said = {"wanted": read(request.query_params), "page": Page(state.gallery.cards(ids))}
    return str(state.templates.get_template("cards.html").render(said))


def _name(back: ActionResult) -> str:
    return escape_name(back.photo.path.rpartition(b"/")[2])
