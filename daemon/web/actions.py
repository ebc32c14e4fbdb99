"""Requests that change photos: label, withdraw, retry, delete. Each response has the result for every photo."""

from collections.abc import Callable
from typing import Annotated, Literal, Self, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daemon.actions.result import ActionResult
from daemon.web import formatting
from daemon.web.changes import Changed
from daemon.web.filters import parse
from daemon.web.gallery import LAST_ID, Page
from daemon.web.services import services
from models.filenames import escape_name
from models.plurals import is_or_are

Ids = Annotated[list[Annotated[int, Field(ge=0, le=LAST_ID)]], Field(min_length=1, max_length=200)]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


class _LabelBody(Body):
    ids: Ids
    label: Literal["food", "non_food"]


class _WithdrawBody(Body):
    ids: Ids
    labels: Ids | None = None

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.labels is not None and len(self.labels) != len(self.ids):
            raise ValueError("there must be as many labels as photos")
        return self


class _RetryBody(Body):
    ids: Ids | None


class _DeleteBody(Body):
    ids: Ids


class _Result(TypedDict):
    """The response to a change.

    Attributes:
        done: Ids of the photos that were changed.
        labels: Photos and the labels, by their ids, that they got or that were withdrawn.
        message: One sentence about the photos that were changed; empty if there are none.
        outcome: The past participle of the change, such as "deleted".
        problems: A sentence for each photo that was not changed.
        cards: The photos' cards as they are now, as HTML.
        failed: How many photos failed.
    """

    done: list[int]
    labels: list[tuple[int, int]]
    message: str
    outcome: str
    problems: list[str]
    cards: str
    failed: int


async def label(request: Request) -> Response:
    """Gives photos a person's label."""
    body = await parse_body(request, _LabelBody)
    changes = services(request).changes
    outcome = f"{formatting.label(body.label)} now"
    return await _respond(request, outcome, body.ids, lambda: changes.label(body.ids, body.label))


async def withdraw(request: Request) -> Response:
    """Takes labels back: those that are named, and else the newest of each photo."""
    body = await parse_body(request, _WithdrawBody)
    changes = services(request).changes
    return await _respond(request, "as before", body.ids, lambda: changes.withdraw(body.ids, body.labels))


async def retry(request: Request) -> Response:
    """Returns failed photos to the inbox, to be sorted again."""
    body = await parse_body(request, _RetryBody)
    changes = services(request).changes
    return await _respond(request, "in the inbox, to be sorted again", [], lambda: changes.retry(body.ids))


async def delete(request: Request) -> Response:
    """Deletes failed photos permanently."""
    body = await parse_body(request, _DeleteBody)
    changes = services(request).changes
    return await _respond(request, "deleted", [], lambda: changes.delete(body.ids))


async def parse_body(request: Request, model: type[B]) -> B:
    """Parses the JSON of a request. Raises HTTPException."""
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise HTTPException(400, f"The request is not valid: {error.errors()[0]['msg']}.") from error


async def _respond(request: Request, outcome: str, card_ids: list[int], change: Callable[[], Changed]) -> Response:
    """Makes a change in a thread and responds with its result.

    Args:
        request: The request.
        outcome: The past participle of the change, such as "deleted".
        card_ids: Photos whose cards the response has.
        change: Makes the change.
    """

    def work() -> _Result:
        changed = change()
        done = [result for result in changed.results if not result.problem]
        photos = _name(done[0]) if len(done) == 1 else formatting.count(len(done), "photo")
        return {
            "done": [result.photo.id for result in done],
            "labels": list(changed.labels.items()),
            "message": f"{photos} {is_or_are(len(done))} {outcome}" if done else "",
            "outcome": outcome,
            "problems": [f"{_name(result)} {result.problem}" for result in changed.results if result.problem],
            "cards": _cards(request, card_ids),
            "failed": services(request).gallery.failed(),
        }

    return JSONResponse(await run_in_threadpool(work))


def _cards(request: Request, ids: list[int]) -> str:
    shared = services(request)
    context = {"filters": parse(request.query_params), "page": Page(shared.gallery.cards(ids))}
    return str(shared.templates.get_template("cards.html").render(context))


def _name(result: ActionResult) -> str:
    return escape_name(result.photo.path.rpartition(b"/")[2])
