"""The model page: the live model, its candidate, and buttons that learn, put live, take back and re-sort."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daemon.database import schema
from daemon.database.connections import database_errors
from daemon.learning import promotion
from daemon.learning.jobs import JobKind, JobStatus
from daemon.pipeline import loaded_model
from daemon.queries import model_facts, reclassification
from daemon.queries.judgements import Choice
from daemon.web import formatting, model_card
from daemon.web.actions import Body, parse_body
from daemon.web.model_card import MOST_PICTURES, LabelChange
from daemon.web.services import Services, services
from daemon.web.templating import render
from models.plurals import plural

_RECENT = timedelta(days=1)
"""For how long the result of a job is shown."""
JOBS = {
    "learn": "Learning from your labels",
    "learn_and_promote": "Learning from your labels",
    "preview": "Judging sorted photos again",
    "resort": "Re-sorting photos",
    "undo": "Moving photos back",
}


class _NoBody(Body):
    """A request without parameters."""


class _PromoteBody(Body):
    name: str
    force: bool


class _UndoBody(Body):
    batch: int


def page(request: Request) -> Response:
    """The page."""
    shared = services(request)
    job = _recent(shared.jobs.status())
    with database_errors():
        facts = model_card.read(shared.root, shared.settings, shared.reading)
        context = {
            "section": "model",
            "facts": facts,
            "job": job,
            "job_text": _job_text(shared, job) if job else "",
            "differences": _differences(shared, facts.live.sha256, job),
            "resort": model_facts.newest_resort(shared.reading),
        }
    return render(request, "model.html", context)


def job(request: Request) -> Response:
    """The newest job as JSON, for the page's script."""
    shared = services(request)
    status = shared.jobs.status()
    running = status is not None and status.running
    return JSONResponse({"running": running, "text": _job_text(shared, status) if status else ""})


async def learn(request: Request) -> Response:
    """Starts to learn."""
    return await _start(request, "learn")


async def preview(request: Request) -> Response:
    """Starts to judge sorted photos again."""
    return await _start(request, "preview")


async def resort(request: Request) -> Response:
    """Starts to judge sorted photos again and to move those with another label."""
    return await _start(request, "resort")


async def undo(request: Request) -> Response:
    """Starts to move re-sorted photos back."""
    body = await parse_body(request, _UndoBody)
    await run_in_threadpool(services(request).jobs.start, "undo", body.batch)
    return await _respond(request, "")


async def promote(request: Request) -> Response:
    """Puts a learned model live."""
    body = await parse_body(request, _PromoteBody)
    shared = services(request)

    def work() -> str:
        with database_errors():
            by = promotion.user_name()
            model = promotion.promote(shared.root, shared.settings, shared.writing, body.name, by=by, force=body.force)
        return f"{model.name} is live"

    return await _respond(request, await run_in_threadpool(work))


async def rollback(request: Request) -> Response:
    """Takes the live model back."""
    await parse_body(request, _NoBody)
    shared = services(request)

    def work() -> str:
        with database_errors():
            taken_back, _ = promotion.rollback(shared.root, shared.settings, shared.writing, by=promotion.user_name())
        return f"{taken_back.name} is taken back"

    return await _respond(request, await run_in_threadpool(work))


async def _start(request: Request, kind: JobKind) -> Response:
    await parse_body(request, _NoBody)
    await run_in_threadpool(services(request).jobs.start, kind)
    return await _respond(request, "")


async def _respond(request: Request, message: str) -> Response:
    failed = await run_in_threadpool(services(request).gallery.failed)
    return JSONResponse({"message": message, "failed": failed})


def _recent(status: JobStatus | None) -> JobStatus | None:
    """A job that is running, or that ended not long ago; what an older one found may no longer hold."""
    if status is None or status.running:
        return status
    ended_at = datetime.fromisoformat(status.job.ended_at or status.job.started_at)
    return status if datetime.now(UTC) - ended_at < _RECENT else None


def _differences(shared: Services, live_sha256: str, job: JobStatus | None) -> list[LabelChange] | None:
    """The photos that the live model would label otherwise, if it was just asked; else None."""
    if job is None or job.running or job.job.kind != "preview" or job.result is None:
        return None
    m, p = schema.models.c, schema.photos.c
    with shared.reading.connect() as connection:
        model_id = connection.execute(sa.select(m.id).where(m.sha256 == live_sha256)).scalar()
        if model_id is None:
            return []
        found = reclassification.differences(shared.reading, Choice(model_id), MOST_PICTURES)
        query = sa.select(p.id, p.sha256).where(p.id.in_([change.photo_id for change in found]))
        digests = {row.id: row.sha256 for row in connection.execute(query)}
    return [
        LabelChange(digests[change.photo_id], change.old_label or "", change.new_label, id=change.photo_id)
        for change in found
        if change.photo_id in digests
    ]


def _job_text(shared: Services, status: JobStatus) -> str:
    """The state or the result of a job in a sentence."""
    kind = status.job.kind
    if status.running:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(status.job.started_at)).total_seconds()
        text = f"{JOBS[kind]}, for {formatting.duration(max(seconds, 1))} so far"
        if kind in ("preview", "resort"):
            with database_errors():
                sha256 = loaded_model.sha256(shared.root, shared.settings)
                judged = model_facts.judged_since(shared.reading, sha256, status.job.started_at)
            text += f"; {formatting.count(judged, 'photo')} judged"
        return f"{text}."
    if status.job.exit_code != 0 and status.result is None:
        return f"{JOBS[kind]} failed: {status.problem}"
    return _result_text(kind, status.result or {}) or status.summary


def _result_text(kind: JobKind, result: dict[str, Any]) -> str:
    if kind in ("learn", "learn_and_promote") and "labels" in result:
        return f"Learned from {formatting.count(int(result['labels']), 'label')}: {result['candidate']}."
    if kind in ("preview", "resort") and "changed" in result:
        judged, changed = int(result["judged"]), int(result["changed"])
        text = f"{formatting.count(judged, 'photo')} judged; {changed:,} {plural(changed, 'label')} would change."
        if kind == "resort":
            moved = int(result["moved"])
            text = f"{formatting.count(judged, 'photo')} judged; {formatting.count(moved, 'photo')} moved."
        return text
    return ""


CHANGES = (learn, preview, resort, undo, promote, rollback)
"""The requests that change something, by the names in their addresses."""
