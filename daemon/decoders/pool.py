"""The pool of worker processes, one or more for each core; it replaces the workers that die."""

import os
import threading
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import structlog

from daemon.decoders.exit_status import diagnose
from daemon.decoders.process import WorkerDied, WorkerLost, WorkerProcess
from daemon.decoders.processors import usable_processors
from daemon.decoders.sandbox import Isolation, hide_memory
from daemon.decoders.worker import Task
from daemon.retry import Retrier
from models.images.decode import Fit, Picture, Within

log = structlog.get_logger()

_RECYCLE_PHOTOS = 5_000  # limits what decoders leak; a new worker takes a tenth of a second to start
_ATTEMPTS = 2  # for a photo whose workers are killed from outside


class PoolStopped(Exception):
    """Raised when the pool was stopped before a photo was decoded."""


class DecoderPool:
    """Worker processes that decode photos.

    Threads that call `decode` have to live until `stop`: the kernel kills a worker when the thread that started it ends.

    Attributes:
        size: Number of photos that are decoded at the same time.
        deaths: Number of workers that ended unexpectedly.
    """

    def __init__(
        self,
        fit: Fit | Within,
        max_pixels: int,
        timeout_s: float,
        size: int = 0,
        retrier: Retrier | None = None,
    ) -> None:
        """Starts the workers and does not wait until they are ready. Hides this process's memory from them, for good.

        Args:
            fit: Size and shape of the pixels.
            max_pixels: Width times height of the largest image to decode.
            timeout_s: Maximum time for one photo (s).
            size: Number of workers, 0 for as many as keep every usable processor busy.
            retrier: Where a worker that cannot be started is reported.
        """
        hide_memory()
        # One more than processors, so that none is idle while a thread copies pixels and sends the next photo.
        self.size = size or 1 + max(2, usable_processors())
        self.deaths = 0
        self._timeout_s = timeout_s
        self._task = Task(os.getpid(), fit, max_pixels, timeout_s)
        self._retrier = retrier or Retrier(threading.Event())
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._alive: set[WorkerProcess] = set()
        # None stands for a worker that has yet to be started: the constructor does not wait until that is possible.
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
            return {worker.pid for worker in self._alive}

    def raise_if_stopped(self) -> None:
        """Raises PoolStopped after `stop`, for a thread that works on a photo before it decodes it."""
        if self._stopping.is_set():
            raise PoolStopped

    def decode(self, fd: int) -> Picture:
        """Decodes a photo. Waits while no worker can be started, since that is not the photo's fault.

        Args:
            fd: Descriptor of the photo.

        Raises:
            ImageError: The photo cannot be decoded.
            OSError: The photo cannot be read.
            PoolStopped: The pool was stopped.
        """
        worker = self._idle.get()
        attempts = _ATTEMPTS
        try:
            while True:
                worker = self._usable(worker)
                try:
                    return worker.decode(fd, self._timeout_s)
                except (WorkerLost, WorkerDied) as end:
                    self._end(worker, unexpected=True)
                    worker = None
                    if isinstance(end, WorkerDied) and not self._stopping.is_set():
                        attempts -= end.exit_reason.killed_from_outside
                        if not end.exit_reason.killed_from_outside or not attempts:
                            raise diagnose(end.exit_reason) from end
        finally:
            self._idle.put(worker)

    def isolation(self) -> Isolation:
        """Returns what confines the workers. Raises OSError when no worker can be started."""
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            worker.await_ready()
            assert worker.isolation
            return worker.isolation
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """Kills all workers: from now on `decode` raises PoolStopped."""
        with self._lock:
            self._stopping.set()
            for worker in self._alive:
                worker.kill()

    def close(self) -> None:
        """Stops the pool and closes everything. Call it when no thread is in `decode` any more."""
        self.stop()
        for worker in list(self._alive):
            self._end(worker)

    def _usable(self, worker: WorkerProcess | None) -> WorkerProcess:
        """Returns `worker`, or a new one when it is None or has decoded enough photos. Raises PoolStopped."""
        if worker is not None and worker.photos >= _RECYCLE_PHOTOS:
            self._end(worker)
            worker = None
        while True:
            try:
                worker = self._ready(worker)
            except OSError as error:
                if worker is None:
                    self._await_next_start(error)
                worker = None
            else:
                self._retrier.clear(self)
                return worker

    def _ready(self, worker: WorkerProcess | None) -> WorkerProcess:
        worker = worker or self._start()
        try:
            worker.await_ready()
        except OSError:
            self._end(worker)
            raise
        return worker

    def _await_next_start(self, error: OSError) -> None:
        """Pauses after a failed start. Raises PoolStopped."""
        if not self._stopping.is_set():
            pending = self._retrier.note(self, f"a decoder cannot be started: {error}")
            if pending.attempt == 1:
                log.warning("a decoder cannot be started; waiting to try again", kind="waiting", reason=str(error))
            if not self._stopping.wait(pending.pause_s):
                return
        self._retrier.clear(self)
        raise PoolStopped from error

    def _start(self) -> WorkerProcess:
        with self._lock:
            if self._stopping.is_set():
                raise OSError("stopped")
            worker = WorkerProcess(self._task)
            self._alive.add(worker)
            return worker

    def _end(self, worker: WorkerProcess, *, unexpected: bool = False) -> None:
        worker.end()
        with self._lock:
            self._alive.discard(worker)
            self.deaths += unexpected and not self._stopping.is_set()
