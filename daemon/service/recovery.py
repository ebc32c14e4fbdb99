"""Takes up what an earlier life of the daemon left half done: carries out what `recovery` plans."""

import structlog

from daemon import failpoints
from daemon.database.rows import PendingRow
from daemon.destinations import recovery_plan
from daemon.inbox.claims import FileRefused
from daemon.inbox.intake import Intake
from daemon.inbox.lock import action_lock
from daemon.pipeline.filing import Filing
from daemon.pipeline.pipeline import Pipeline
from daemon.retry import Retrier
from daemon.service.storage import Storage
from models.filenames import escape_name

log = structlog.get_logger()


class StartupRecovery:
    """Called when an inbox is held and before anything of it is claimed."""

    def __init__(self, store: Storage, filing: Filing, pipeline: Pipeline, intake: Intake, patience: Retrier) -> None:
        self._hold, self._claims = store.hold, store.hold.claims
        self._movers, self._destinations, self._lookup = store.movers, store.destinations, store.lookup
        self._filing, self._pipeline, self._intake, self._patience = filing, pipeline, intake, patience

    def __call__(self) -> None:
        """Ends what rows say is on its way, and classifies what was claimed and has no row. Raises GivenUp."""
        self._patience(self._mend_ways)
        claimed = self._patience(lambda: list(self._claims.leftovers()))
        steps = list(recovery_plan.plan(claimed, self._patience(self._lookup.pending), self._arrived))
        self._filing.mend([step for step in steps if isinstance(step, recovery_plan.Resume)])
        failpoints.failpoint("mended")
        for step in steps:
            if isinstance(step, recovery_plan.Reclassify):
                self._adopt(step)

    def _mend_ways(self) -> None:
        with action_lock(
            self._claims.inbox_fd, self._hold.path, wait=lambda: False
        ) as ours:  # else somebody is at it, and alive
            for action, back in self._movers.mend() if ours else ():
                log.info("recovering", photo=escape_name(back.photo.inbox_path), action=action, problem=back.problem)

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
