"""The life of the daemon: start, recover, watch, claim, change over to other settings, stop."""

import os
import queue
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import structlog

from daemon import network
from daemon.endpoint import Endpoint
from daemon.gauges import Gauges
from daemon.inbox import WINDOW, Inbox
from daemon.network import Network
from daemon.notify import Watchdog, notify
from daemon.patience import GivenUp
from daemon.pipeline import Returned
from daemon.progress import Progress
from daemon.pulse import Pulse
from daemon.reload import Reload
from daemon.session import Lasting, Session
from daemon.settings import Settings
from daemon.watch import Hint
from models.bundle import Bundle
from models.engines import Engine
from models.engines.resting import RestingEngine
from models.errors import FoodsortError

log = structlog.get_logger()

_IDLE_S = 1.0  # longest sleep, so that a stopped clock or a lost wake-up costs no more
_LOADING_S = 300  # that systemd gives each step of a start that takes longest: migrating a database, loading a model


class Service:
    """One daemon on one root, from start to stop. Used by one thread."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        progress: Progress,
        *,
        once: bool,
        dry_run: bool,
        window: int = WINDOW,
    ) -> None:
        """Loads the model and opens folders and database. Raises FoodsortError, OSError.

        window: how many files wait in memory at most, see Inbox.
        """
        self._root, self._progress, self._once, self._dry_run = root, progress, once or dry_run, dry_run
        self._window = window
        self._stopping = threading.Event()
        self._loading = False
        self._watchdog = Watchdog()
        self._lasting = Lasting(root, self._once, dry_run, self._waits)
        self._messages = self._lasting.messages
        self._endpoint: Endpoint | None = None
        self._asked_to_reload = False
        self._reload: Reload | None = None
        self._next_scan = 0.0
        self._session = self._plan(settings, network.load(root, settings), self._warm)
        self._handle_signals()
        self._pulse = Pulse(root, self._lasting, self._session)
        try:
            if not dry_run:
                self._pulse.start()
                self._lasting.metrics.registry.register(Gauges(root, self._pulse))
                self._serve_metrics(settings)
            notify(f"EXTEND_TIMEOUT_USEC={_LOADING_S * 10**6}", "STATUS=opening folders and database")
            self._session.open()
        except GivenUp:
            self._close()
            raise SystemExit(0) from None
        except BaseException:
            self._close()
            raise
        log.info("model ready", model=self._session.bundle.model_name, engine=self._session.engine.name)

    def _plan(
        self, settings: Settings, bundle: Bundle, engine: Callable[[], Engine], inbox: Inbox | None = None
    ) -> Session:
        watch = settings.watch
        inbox = inbox or Inbox(watch.settle_s, watch.open_s, watch.empty_s, self._window)
        return Session(self._lasting, settings, bundle, engine, inbox)

    def _warm(self) -> Engine:
        notify(f"EXTEND_TIMEOUT_USEC={_LOADING_S * 10**6}", "STATUS=loading the model")
        self._loading = True
        if self._stopping.is_set():
            raise GivenUp("stopped before the model was loaded")
        engine = network.warm(self._root, self._session.settings, self._session.bundle)
        self._loading = False
        return engine

    def _serve_metrics(self, settings: Settings) -> None:
        """Listens where the settings say, if anywhere. Raises FoodsortError, and then goes on listening where it did."""
        address = settings.metrics.address
        if address == (self._endpoint and self._endpoint.address):
            return
        fresh = Endpoint(*address, self._lasting.metrics.registry, self._pulse) if address else None
        if self._endpoint:
            self._endpoint.close()
        self._endpoint = fresh

    @property
    def counts(self) -> Counter[str]:
        """Photos filed so far, by label or `failed`."""
        return self._lasting.counts

    @property
    def left(self) -> int:
        """Files that had to stay in the inbox because they can't be read or moved."""
        return self._session.intake.inbox.refused

    def run(self) -> None:
        """Sorts until it is told to stop, or with `once` until nothing is left to wait for. Raises what ended it early."""
        self._session.pipeline.start()
        try:
            with suppress(GivenUp):
                self._begin()
                notify("READY=1")
                self._loop()
        finally:
            notify("STOPPING=1")
            self._pulse.phase = "stopping"
            self._end()
        failure = self._session.pipeline.failure
        if failure and not self._stopping.is_set():
            raise failure

    def _begin(self) -> None:
        """Watches the inbox that is held now, and takes up what an earlier life left."""
        session = self._session
        self._pulse.moved()
        session.lookout.open(prove=not self._dry_run)
        if not self._dry_run:
            session.takeover()
        self._scan()
        self._pulse.phase = "running"
        log.info("watching", inbox=str(session.store.hold.path), events=session.lookout.kind)

    def _loop(self) -> None:
        while not self._stopping.is_set() and self._session.pipeline.failure is None:
            self._beat()
            session = self._session
            if why := session.store.hold.lost():
                self._wait_for_inbox(why)
                continue
            self._renew()
            self._list()
            while not session.pipeline.full and not self._stopping.is_set() and session.intake.claim_next():
                self._beat()
            self._show()
            if self._once and self._idle():
                return
            if isinstance(session.engine, RestingEngine) and session.engine.rest():
                log.info("the model is let go of until the next photo", engine=session.engine.name)
            self._handle(self._sleep_s())

    def _show(self) -> None:
        inbox = self._session.intake.inbox
        self._progress.show(self._lasting.counts, len(inbox) + self._session.pipeline.in_flight)
        self._pulse.see(inbox, more=self._session.intake.listing)

    def _wait_for_inbox(self, why: str) -> None:
        """Finishes what is held, then waits until there is a folder at the inbox's path, and begins anew with that."""
        self._session.store.tell(
            "inbox_lost", f"the inbox {self._session.store.hold.path} is gone ({why}); sorting goes on when it is back"
        )
        self._session.patience.wait("inbox", f"the inbox {self._session.store.hold.path} is gone: {why}")
        self._session.lookout.close()
        while (
            self._session.pipeline.in_flight and not self._stopping.is_set() and self._session.pipeline.failure is None
        ):
            self._handle(_IDLE_S)
        self._handle(0)  # the last ones that came back
        self._session.store.hold.let_go()
        self._session.intake.forget()
        if self._session.pipeline.failure is None and self._session.store.hold.wait(
            self._session.patience, self._stopping
        ):
            self._session.store.open_database_again(self._session.bundle)
            self._session.store.tell("inbox_back", f"the inbox {self._session.store.hold.path} is back")
            self._begin()

    def _idle(self) -> bool:
        """Whether nothing is ready, settling or on its way, also after a fresh look at the whole inbox."""

        def quiet() -> bool:
            at_rest = not self._session.pipeline.in_flight and self._messages.empty()
            return at_rest and not self._session.intake.listing and not len(self._session.intake.inbox)

        if not quiet():
            return False
        self._scan()
        while self._session.intake.listing and not len(self._session.intake.inbox) and not self._stopping.is_set():
            self._session.intake.list_more()
        return quiet()

    def _sleep_s(self) -> float:
        if self._session.intake.may_list:
            return 0.0
        wake = self._next_scan
        due = self._session.intake.next_due()
        if due is not None and not self._session.pipeline.full:
            wake = min(wake, due)
        return min(max(wake - time.monotonic(), 0.0), _IDLE_S)

    def _handle(self, timeout_s: float) -> None:
        """Waits for a message and handles it and all that have come with it."""
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s else self._messages.get_nowait()
            while True:
                if isinstance(message, Hint) and message.kind == "unwatched":
                    self._session.lookout.unwatched()
                elif message is not None:
                    self._session.intake.handle(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return

    def _list(self) -> None:
        """Goes on with a listing of the inbox, or begins one when it is time to; that counts from the end of the last."""
        if self._session.intake.listing:
            self._session.intake.list_more()
            self._next_scan = time.monotonic() + self._session.lookout.look_every_s
        elif time.monotonic() >= self._next_scan:
            self._session.lookout.renew()
            self._scan()

    def _scan(self) -> None:
        """Begins a listing of the whole inbox: events are hints, this is the truth."""
        self._session.store.hold.claims.settle()
        self._session.intake.scan()

    def _beat(self) -> None:
        """The loop goes round. systemd is told so as long as every stage of the pipeline moves, or waits for trouble to pass."""
        self._pulse.moved()
        if self._session.patience.trouble or self._session.heart.stuck is None:
            self._watchdog.feed()

    def _waits(self) -> None:
        """Trouble is being waited out, which is no standing still."""
        if threading.current_thread() is threading.main_thread():
            self._watchdog.feed()
            notify(f"EXTEND_TIMEOUT_USEC={_LOADING_S * 10**6}")

    def _renew(self) -> None:
        """Goes on with the reading of settings and model that was asked for, if any."""
        if self._asked_to_reload and self._reload is None:
            self._asked_to_reload = False
            notify(
                "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading settings and model anew"
            )
            at_hand = Network(self._session.bundle, self._session.engine)
            self._reload = Reload(self._root, self._session.settings, at_hand, lambda: self._messages.put(None))
        elif self._reload and self._reload.outcome:
            outcome, self._reload = self._reload.outcome, None
            try:
                if isinstance(outcome, FoodsortError):
                    raise outcome
                self._change_over(*outcome)
            except FoodsortError as error:
                log.error("nothing was reloaded, all stays as it was", kind="reload", reason=str(error))
            notify("READY=1")

    def _change_over(self, settings: Settings, fresh: Network) -> None:
        """Sorts by other settings from the next batch on. What the old ones have claimed and not begun goes back first.

        Raises FoodsortError when they cannot be had after all, and goes on with the old ones.
        """
        self._serve_metrics(settings)
        old = self._session
        old.give_up()
        old.halt()
        self._handle(0)
        old.close()
        kept = old.intake.inbox
        kept.events_lost()  # what was being written may be closed while nobody watches
        same = settings.watch == old.settings.watch and settings.folders.inbox == old.settings.folders.inbox
        try:
            self._open(self._plan(settings, fresh.bundle, lambda: fresh.engine, kept if same else None))
        except (FoodsortError, OSError) as error:
            self._open(self._plan(old.settings, old.bundle, lambda: old.engine, kept))
            self._begin()
            raise FoodsortError(str(error)) from error
        self._begin()
        log.info("reloaded", model=fresh.bundle.model_name, engine=fresh.engine.name)

    def _open(self, session: Session) -> None:
        session.open()
        self._session = self._pulse.session = session
        if self._stopping.is_set():
            session.give_up()
        session.pipeline.start()

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        if not self._once:
            # On a terminal it says that the terminal is gone.
            signal.signal(signal.SIGHUP, self._stop if sys.stdin and sys.stdin.isatty() else self._ask_to_reload)
        # Claiming asks the kernel for a lease; a writer who opens the file in that moment makes it send this.
        signal.signal(signal.SIGIO, signal.SIG_IGN)

    def _ask_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_reload = True
        self._messages.put(None)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():  # asked twice: the next start mends what is left half done now
            self._progress.stop()
            os.write(2, b"foodsort: stopped at once; what was in hand is finished at the next start\n")
            os._exit(1)
        self._stopping.set()
        self._session.give_up()
        self._messages.put(None)
        if self._loading:  # nothing is begun yet that would have to be finished
            raise SystemExit(0)

    def _end(self) -> None:
        session = self._session
        session.halt()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                session.store.hold.claims.give_back(message.claimed.path, message.claimed.generation)
        session.close()
        self._close()

    def _close(self) -> None:
        if self._endpoint:
            self._endpoint.close()
        if not self._dry_run:
            self._pulse.stop()
