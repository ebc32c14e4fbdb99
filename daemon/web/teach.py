"""Teach: photos to label, one at a time, without the model's label; and the result of a set."""

from typing import Annotated, Literal

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daemon.web.actions import Body, parse_body
from daemon.web.changes import Changed
from daemon.web.gallery import LAST_ID
from daemon.web.pages import parse_id
from daemon.web.services import services
from daemon.web.templating import render

_MOST_IDS = 1000
"""Most ids in an address: skipped photos of some fifty sets."""

_Id = Annotated[int, Field(ge=0, le=LAST_ID)]


class _AnswerBody(Body):
    ids: Annotated[list[_Id], Field(min_length=1, max_length=1)]
    label: Literal["food", "non_food"]
    earlier: _Id | None


class _UndoBody(Body):
    ids: Annotated[list[_Id], Field(min_length=1, max_length=1)]
    labels: Annotated[list[_Id], Field(min_length=1, max_length=1)]


def page(request: Request) -> Response:
    """The next set of photos."""
    teacher = services(request).teacher
    skipped = _ids(request, "skip")
    context = {
        "section": "teach",
        "questions": teacher.questions(frozenset(skipped)),
        "accuracy": teacher.accuracy(),
        "skipped": skipped,
    }
    return render(request, "teach.html", context)


def result(request: Request) -> Response:
    """The answers of a set beside the model's labels, which are shown only now."""
    teacher = services(request).teacher
    answers = teacher.answers(_ids(request, "ids"))
    context = {
        "section": "teach",
        "answers": answers,
        "audited": [answer for answer in answers if answer.is_audit and answer.model_label],
        "accuracy": teacher.accuracy(),
        "skipped": _ids(request, "skip"),
    }
    return render(request, "teach_result.html", context)


async def answer(request: Request) -> Response:
    """Gives a photo the label that a person answered. The response tells nothing of the model's label."""
    body = await parse_body(request, _AnswerBody)
    changes = services(request).changes
    changed = await run_in_threadpool(changes.answer, body.ids[0], body.label, body.earlier)
    return await _respond(request, changed)


async def undo(request: Request) -> Response:
    """Takes an answer back, likewise."""
    body = await parse_body(request, _UndoBody)
    changed = await run_in_threadpool(services(request).changes.withdraw, body.ids, body.labels)
    return await _respond(request, changed)


async def _respond(request: Request, changed: Changed) -> Response:
    failed = await run_in_threadpool(services(request).gallery.failed)
    return JSONResponse(
        {
            "done": [result.photo.id for result in changed.results if not result.problem],
            "labels": list(changed.labels.items()),
            "message": "",
            "outcome": "",
            "problems": [f"The photo {result.problem}." for result in changed.results if result.problem],
            "cards": "",
            "failed": failed,
        }
    )


def _ids(request: Request, name: str) -> list[int]:
    numbers = [number for number in request.query_params.get(name, "").split(",") if number]
    if len(numbers) > _MOST_IDS:
        raise HTTPException(400, f"The address has more than {_MOST_IDS} photos.")
    return [parse_id(number) for number in numbers]
