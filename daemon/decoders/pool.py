"""The decoders: a worker process for each core, and what becomes of a photo when one of them dies over it."""

import os
import threading
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import structlog
import tenacity

from daemon.decoders.exit_status import diagnose
from daemon.decoders.process import WorkerDied, WorkerLost, WorkerProcess
from daemon.decoders.sandbox import NetworkIsolation
from daemon.decoders.worker import Task
from models.images.decode import Fit, Picture, Within

log = structlog.get_logger()

_RECYCLE_PHOTOS = 5_000  # what decoders leak stays small, and the tenth of a second for a fresh one is far apart
_CHANCES = 2  # for a photo whose workers are killed by others


class PoolStopped(Exception):
    """Raised when the decoders were stopped before a photo was decoded."""


class DecoderPool:
    """Worker processes that decode. Threads that call `decode` have to live until `stop`: workers end with their thread."""

    def __init__(self, fit: Fit | Within, max_pixels: int, timeout_s: float, size: int = 0) -> None:
        """Starts `size` workers and does not wait for them; 0: as many as keep every core busy."""
        # One more than cores, so that none is idle while a thread takes over pixels and hands out the next photo.
        self.size = size or 1 + max(2, len(os.sched_getaffinity(0)))
        """How many photos are decoded at a time."""
        self.deaths = 0
        """How many workers have ended without having been asked to."""
        self._timeout_s = timeout_s
        self._task = Task(os.getpid(), fit, max_pixels, timeout_s)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._alive: set[WorkerProcess] = set()
        self._in_trouble = False
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(OSError),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._say,
            reraise=True,
        )
        # None stands for a worker that has to be started: here there is no time to wait until that can be done.
        self._idle: SimpleQueue[WorkerProcess | None] = SimpleQueue()
        for _ in range(self.size):
            try:
                self._idle.put(self._start())
            except OSError:
                self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> set[int]:
        """Process ids of the workers."""
        with self._lock:
            return {child.pid for child in self._alive}

    def decode(self, fd: int) -> Picture:
        """Decodes the photo open as `fd`. Raises ImageError, OSError (of the disk), PoolStopped.

        A worker that cannot be started is waited for: that is no photo's fault, and passes.
        """
        child = self._idle.get()
        chances = _CHANCES
        try:
            while True:
                child = self._usable(child)
                try:
                    return child.decode(fd, self._timeout_s)
                except (WorkerLost, WorkerDied) as end:
                    self._end(child, unasked=True)
                    child = None
                    if isinstance(end, WorkerDied) and not self._stopping.is_set():
                        chances -= end.death.by_others
                        if not end.death.by_others or not chances:
                            raise diagnose(end.death) from end
        finally:
            self._idle.put(child)

    def network(self) -> NetworkIsolation:
        """What keeps the workers from the network. Raises OSError when none comes up."""
        child = self._idle.get()
        try:
            child = child or self._start()
            child.await_ready()
            assert child.network
            return child.network
        finally:
            self._idle.put(child)

    def stop(self) -> None:
        """Ends what is being decoded: `decode` raises Stopped from now on."""
        with self._lock:
            self._stopping.set()
            for child in self._alive:
                child.kill()

    def close(self) -> None:
        """Ends all workers, when no thread is in `decode` any more."""
        self.stop()
        for child in list(self._alive):
            self._end(child)

    def _usable(self, child: WorkerProcess | None) -> WorkerProcess:
        """`child` if it can go on, or a fresh one. Raises PoolStopped."""
        if child is not None and child.photos >= _RECYCLE_PHOTOS:
            self._end(child)
            child = None
        try:
            try:
                return self._ready(child)
            except OSError:
                return self._retry(self._ready, None)
        except OSError as error:
            raise PoolStopped from error

    def _ready(self, child: WorkerProcess | None) -> WorkerProcess:
        child = child or self._start()
        try:
            child.await_ready()
        except OSError:
            self._end(child)
            raise
        self._in_trouble = False
        return child

    def _start(self) -> WorkerProcess:
        with self._lock:
            if self._stopping.is_set():
                raise OSError("stopped")
            child = WorkerProcess(self._task)
            self._alive.add(child)
            return child

    def _end(self, child: WorkerProcess, *, unasked: bool = False) -> None:
        child.end()
        with self._lock:
            self._alive.discard(child)
            self.deaths += unasked and not self._stopping.is_set()

    def _say(self, state: tenacity.RetryCallState) -> None:
        if not self._in_trouble:
            self._in_trouble = True
            log.warning(
                "a decoder can't be started; trying again", reason=str(state.outcome and state.outcome.exception())
            )
