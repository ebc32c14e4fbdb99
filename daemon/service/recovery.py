"""Takes up what an earlier life of the daemon left half done: carries out what `recovery` plans."""

import structlog

from daemon import failpoints
from daemon.database.recorder import Pending
from daemon.destinations import recovery_plan
from daemon.inbox.claims import Refused
from daemon.inbox.intake import Intake
from daemon.inbox.lock import turn
from daemon.pipeline.filing import Filing
from daemon.pipeline.pipeline import Pipeline
from daemon.retry import Patience
from daemon.service.storage import Store
from models.filenames import shown

log = structlog.get_logger()


class Takeover:
    """Called when an inbox is held and before anything of it is claimed."""

    def __init__(self, store: Store, filing: Filing, pipeline: Pipeline, intake: Intake, patience: Patience) -> None:
        self._hold, self._claims = store.hold, store.hold.claims
        self._movers, self._destinations, self._results = store.movers, store.destinations, store.results
        self._filing, self._pipeline, self._intake, self._patience = filing, pipeline, intake, patience

    def __call__(self) -> None:
        """Ends what rows say is on its way, and classifies what was claimed and has no row. Raises GivenUp."""
        self._patience(self._mend_ways)
        claimed = self._patience(lambda: list(self._claims.leftovers()))
        steps = list(recovery_plan.plan(claimed, self._patience(self._results.pending), self._arrived))
        self._filing.mend([step for step in steps if isinstance(step, recovery_plan.Mend)])
        failpoints.point("mended")
        for step in steps:
            if isinstance(step, recovery_plan.Adopt):
                self._adopt(step)

    def _mend_ways(self) -> None:
        with turn(self._claims.inbox, self._hold.path, wait=lambda: False) as ours:  # else somebody is at it, and alive
            for action, back in self._movers.mend() if ours else ():
                log.info("recovering", photo=shown(back.photo.inbox_path), action=action, problem=back.problem)

    def _arrived(self, row: Pending, claimed: bool) -> bool:
        return self._destinations.is_ours(row.path, row.identity, row.sha256, claimed=claimed)

    def _adopt(self, step: recovery_plan.Adopt) -> None:
        log.info("recovering", photo=shown(step.path), action="classify")
        try:
            self._pipeline.put(self._patience(self._claims.again, step.path, step.generation))
        except Refused as refusal:
            back = self._claims.give_back(step.path, step.generation)
            if back is not None:
                self._intake.refuse(back, str(refusal))
