"""From the inbox into the pipeline, and back when a photo has to wait on: what hints and looks lead to."""

import os
import time

import structlog

from daemon import tree
from daemon.claim import Changed, Claims, Refused
from daemon.inbox import Ignore, Inbox, Look, Ready
from daemon.patience import FIRST_PAUSE_S, Patience
from daemon.pipeline import Pipeline, Returned
from daemon.results import Results
from daemon.schema import modified_at
from daemon.settings import Watch
from daemon.teller import Teller
from daemon.watch import Hint

log = structlog.get_logger()

_ASKED = 500  # held files in one question
_RUN = 32  # files that are claimed between two questions to the database


class Intake:
    """Keeps the list of waiting files and claims those that are ready. Used by one thread."""

    def __init__(
        self,
        settings: Watch,
        claims: Claims,
        pipeline: Pipeline,
        results: Results,
        patience: Patience,
        tell: Teller,
        *,
        dry_run: bool = False,
    ) -> None:
        self._ignore = Ignore(settings.ignore)
        self.inbox = Inbox(settings.settle_s, settings.open_s, settings.empty_s)
        self._settle_s = settings.settle_s
        self._claims, self._pipeline, self._results, self._dry_run = claims, pipeline, results, dry_run
        self._patience, self._tell = patience, tell
        self._device = 0
        self._claim_again = 0.0  # not before, when the disk of the inbox is full, say
        self._strange: set[bytes] = set()
        self._tried: set[bytes] = set()  # by a dry run, which leaves them where they are

    def handle(self, message: Hint | Returned) -> None:
        """Takes note of an event, or of a photo that comes back from the pipeline."""
        now = time.monotonic()
        match message:
            case Returned():
                self._put_back(message)
            case Hint("look", path):
                self.scan(path)
            case Hint("overflow", _):
                self._tell("overflow", "more happened in the inbox than the system remembers; looking at all of it")
                self.inbox.events_lost()
                self.scan()
            case Hint("modified", path):
                self.inbox.modified(path, now)
            case Hint("closed", path):
                self.inbox.closed(path, now)
            case Hint("moved_in", path):
                look = self._look(path)
                if look is not None:
                    self.inbox.moved_in(path, look, now)
            case Hint("gone", path):
                # Looked for, since the halves of our own renames may come apart, and a new file may have come since.
                if self._look(path) is None:
                    self.inbox.gone(path)

    def scan(self, path: bytes = b"") -> None:
        """Looks at a file, or at everything in a folder; at the whole inbox when nothing is named."""
        look = self._look(path) if path else None
        if look is not None:
            self.inbox.found(path, look, time.monotonic())
            return
        if not path and not self._dry_run:
            self._identify()
            self._release()
        for found, stat in tree.files(self._claims.inbox, path, self._ignore, self._closed):
            if found in self._tried:
                continue
            if tree.is_regular(stat):
                self.inbox.found(found, Look.of(stat), time.monotonic())
            elif found not in self._strange:
                self._strange.add(found)
                self._tell("skipped", "is no regular file (a link, FIFO, socket or device), so it stays", found)

    def claim_next(self) -> bool:
        """Claims the next files that are ready; returns whether there were any to look at."""
        now = time.monotonic()
        if now < self._claim_again:
            return False
        ready, found = [], False
        for _ in range(_RUN):
            path = self.inbox.due(now)
            if path is None:
                break
            found = True
            judged = self.inbox.judge(path, self._look(path), now)
            if judged is not None:
                ready.append(judged)
        for one in self._not_held(ready):
            self._claim(one)
        return found

    def next_due(self) -> float | None:
        """When to call `claim_next` again at the latest (monotonic s)."""
        due = self.inbox.next_due()
        return due and max(due, self._claim_again)

    def refuse(self, path: bytes, reason: str) -> None:
        """Leaves a file alone until it changes or a long time has passed, and says so once."""
        look = self._look(path)
        if look is not None and self.inbox.refuse(path, look, time.monotonic()):
            self._tell("refused", f"{reason}; it stays in the inbox", path)

    def forget(self) -> None:
        """The inbox is another folder now."""
        self.inbox.forget()
        self._strange.clear()
        self._device = 0

    def _not_held(self, ready: list[Ready]) -> list[Ready]:
        """Leaves alone those that a person took back to here; the database is asked after the files were looked at.

        A row says that its photo is on its way before the photo moves, and a claim is given back when the file is not the
        one that was looked at. So none can come in between.
        """
        if not ready:
            return []
        held = self._held({one.path: one.look for one in ready})
        for one in ready:
            if one.path in held:
                self.inbox.hold(one.path, one.look)
        if held:
            log.info("undone, so left in the inbox until `foodsort retry` asks for it", photos=len(held))
        return [one for one in ready if one.path not in held]

    def _held(self, looks: dict[bytes, Look]) -> set[bytes]:
        """Which of these files are photos that a person took back and nobody has changed since."""
        undone = self._patience(self._results.undone, [look.identity for look in looks.values()])
        return {
            path for path, look in looks.items() if undone.get(look.identity) == (look.size, modified_at(look.mtime_ns))
        }

    def _identify(self) -> None:
        """Finds the photos with rows by place, size and time when the filesystem was mounted anew, as another device."""
        device = os.fstat(self._claims.inbox).st_dev
        if device == self._device:
            return
        changed = {}
        for row in self._patience(self._results.in_inbox):
            stat = self._stat(row.inbox_path)
            if stat is None or (stat.st_size, modified_at(stat.st_mtime_ns)) != (row.size_bytes, row.modified_at):
                continue
            if row.identity != tree.identity(stat):
                changed[row.id] = tree.identity(stat)
        self._patience(self._results.identify, changed)
        self._device = device

    def _release(self) -> None:
        """Lets go of files that are held no longer."""
        looks = self.inbox.held
        paths = list(looks)
        for at in range(0, len(paths), _ASKED):
            some = paths[at : at + _ASKED]
            for path in set(some) - self._held({path: looks[path] for path in some}):
                self.inbox.release(path)

    def _look(self, path: bytes) -> Look | None:
        """A look at one path, None when no regular file is there that can be looked at."""
        stat = self._stat(path)
        return Look.of(stat) if stat is not None and tree.is_regular(stat) else None

    def _stat(self, path: bytes) -> os.stat_result | None:
        try:
            return self._claims.look(path)
        except OSError:
            return None

    def _claim(self, ready: Ready) -> None:
        now = time.monotonic()
        try:
            claimed = self._claims.peek(ready) if self._dry_run else self._claims.take(ready)
        except FileNotFoundError:
            self.inbox.gone(ready.path)
        except FileExistsError:  # an older photo of this name is still on its way
            self.inbox.put_back(ready.path, ready.look, now, self._settle_s)
        except Changed as change:
            look = self._look(ready.path)
            if look is not None and change.writing:
                self.inbox.put_back_open(ready.path, look, now)
            elif look is not None:
                self.inbox.found(ready.path, look, now)
        except Refused as refusal:
            self.refuse(ready.path, str(refusal))
        except OSError as error:
            self._wait_for_room(ready, error, now)
        else:
            self._patience.over(self)
            self.inbox.gone(ready.path)
            if self._dry_run:
                self._tried.add(ready.path)
            self._pipeline.put(claimed)

    def _wait_for_room(self, ready: Ready, error: OSError, now: float) -> None:
        """Nothing more is begun for a while; then others come first, in case it is this one file's trouble after all."""
        pause_s = self._patience.wait(self, f"photos cannot be taken from the inbox: {error.strerror}")
        self._claim_again = now + pause_s
        self.inbox.put_back(ready.path, ready.look, now, pause_s + self._settle_s)
        if pause_s == FIRST_PAUSE_S:
            self._tell("waiting", f"photos cannot be taken from the inbox for now: {error.strerror}")

    def _closed(self, path: bytes, error: OSError) -> None:
        if path not in self._strange:
            self._strange.add(path)
            self._tell("refused", f"the folder cannot be looked into: {error.strerror}; what is in it stays", path)

    def _put_back(self, returned: Returned) -> None:
        claimed = returned.claimed
        path = claimed.path if self._dry_run else self._claims.give_back(claimed.path, claimed.generation)
        look = None if path is None else self._look(path)
        if path is None or look is None:
            return
        if returned.refused:
            self.refuse(path, returned.refused)
        elif returned.wait_s:
            self.inbox.put_back(path, look, claimed.still_since, returned.wait_s)
        else:
            self.inbox.found(path, look, time.monotonic())
