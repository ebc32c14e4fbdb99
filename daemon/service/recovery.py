"""Recovers the photos that an earlier run of the daemon left in flight: carries out the recovery plan."""

import structlog

from daemon import failpoints
from daemon.actions.result import ActionResult
from daemon.database.companions import PendingCompanion
from daemon.database.rows import PendingRow
from daemon.destinations import recovery_plan
from daemon.destinations.presence import has_photo
from daemon.fs import dirfd
from daemon.inbox.claimed_copy import holds_copies
from daemon.inbox.claimed_photo import FileRefused
from daemon.inbox.claimer import Claimer
from daemon.inbox.companions import CompanionRules
from daemon.pipeline.companion_filer import CompanionFiler
from daemon.pipeline.filing import Filer
from daemon.pipeline.pipeline import Pipeline
from daemon.retry import Retrier
from daemon.service.storage import Storage
from models.filenames import escape_name

log = structlog.get_logger()


class StartupRecovery:
    """Recovers photos after the inbox was opened and before the first claim."""

    def __init__(
        self,
        storage: Storage,
        filer: Filer,
        companion_filer: CompanionFiler,
        pipeline: Pipeline,
        claimer: Claimer,
        retrier: Retrier,
        rules: CompanionRules,
    ) -> None:
        self._storage = storage
        self._filer = filer
        self._companion_filer = companion_filer
        self._rules = rules
        self._pipeline = pipeline
        self._claimer = claimer
        self._retry = retrier

    def recover(self) -> None:
        """Finishes the photos of rows in flight, and classifies claimed photos without a row.

        Raises:
            RetryAborted: The daemon stops during a retry.
        """
        self._retry(self._storage.recover_actions, _log_recovered)
        claims = self._storage.claims
        leftovers = self._retry(lambda: list(claims.leftovers()))
        claimed = [(run_id, path) for run_id, path in leftovers if self._retry(claims.settle, path, run_id)]
        pending = [*self._retry(self._storage.lookup.pending), *self._retry(self._storage.companions.pending)]
        steps = list(recovery_plan.plan(claimed, pending, self._arrived))
        resumed = [step for step in steps if isinstance(step, recovery_plan.Resume)]
        self._filer.recover([step for step in resumed if not isinstance(step.row, PendingCompanion)])
        self._companion_filer.recover([step for step in resumed if isinstance(step.row, PendingCompanion)])
        failpoints.failpoint("mended")
        for step in steps:
            if isinstance(step, recovery_plan.Reclassify):
                self._reclassify(step)

    def _arrived(self, row: PendingRow, claimed: bool) -> bool:
        return has_photo(self._storage.destinations, row.path, row.identity, row.sha256, claimed=claimed)

    def _reclassify(self, step: recovery_plan.Reclassify) -> None:
        claims = self._storage.claims
        if holds_copies(step.run_id) and self._retry(claims.drop_copy, step.path, step.run_id):
            return  # its original is in the inbox, and is taken again
        log.info("recovering", photo=escape_name(step.path), action="classify")
        if self._rules.may_be_companion(dirfd.split(step.path)[1]):
            claims.give_back(step.path, step.run_id)  # it waits for its photo again
            return
        try:
            self._pipeline.put([self._retry(claims.reopen, step.path, step.run_id)])
        except FileRefused as refusal:
            path = claims.give_back(step.path, step.run_id)
            if path is not None:
                self._claimer.refuse(path, str(refusal))


def _log_recovered(action: str, result: ActionResult) -> None:
    log.info("recovering", photo=escape_name(result.photo.inbox_path), action=action, problem=result.problem)
