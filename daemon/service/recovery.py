"""Takes up what an earlier life of the daemon left half done: carries out what `recovery` plans."""

from contextlib import suppress

import structlog

from daemon import failpoints
from daemon.actions.context import ActionBusy
from daemon.actions.result import ActionResult
from daemon.database.rows import PendingRow
from daemon.destinations import recovery_plan
from daemon.inbox.claims import FileRefused
from daemon.inbox.intake import Intake
from daemon.pipeline.filing import Filing
from daemon.pipeline.pipeline import Pipeline
from daemon.retry import Retrier
from daemon.service.storage import Storage
from models.filenames import escape_name

log = structlog.get_logger()


class StartupRecovery:
    """Called when an inbox is held and before anything of it is claimed."""

    def __init__(self, store: Storage, filing: Filing, pipeline: Pipeline, intake: Intake, patience: Retrier) -> None:
        self._claims = store.hold.claims
        self._actions = store.movers
        self._destinations, self._lookup = store.destinations, store.lookup
        self._filing, self._pipeline, self._intake, self._patience = filing, pipeline, intake, patience

    def __call__(self) -> None:
        """Ends what rows say is on its way, and classifies what was claimed and has no row. Raises GivenUp."""
        self._patience(self._recover_actions)
        claimed = self._patience(lambda: list(self._claims.leftovers()))
        steps = list(recovery_plan.plan(claimed, self._patience(self._lookup.pending), self._arrived))
        self._filing.mend([step for step in steps if isinstance(step, recovery_plan.Resume)])
        failpoints.failpoint("mended")
        for step in steps:
            if isinstance(step, recovery_plan.Reclassify):
                self._adopt(step)

    def _recover_actions(self) -> None:
        # Whoever holds the lock is alive, has recovered them already, and completes its own.
        with suppress(ActionBusy), self._actions.exclusive(timeout_s=0, on_recovered=_log_recovered):
            pass

    def _arrived(self, row: PendingRow, claimed: bool) -> bool:
        return self._destinations.is_ours(row.path, row.identity, row.sha256, claimed=claimed)

    def _adopt(self, step: recovery_plan.Reclassify) -> None:
        log.info("recovering", photo=escape_name(step.path), action="classify")
        try:
            self._pipeline.put(self._patience(self._claims.reopen, step.path, step.run_id))
        except FileRefused as refusal:
            back = self._claims.give_back(step.path, step.run_id)
            if back is not None:
                self._intake.refuse(back, str(refusal))


def _log_recovered(action: str, result: ActionResult) -> None:
    log.info("recovering", photo=escape_name(result.photo.inbox_path), action=action, problem=result.problem)
