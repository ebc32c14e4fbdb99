"""Reader threads, one for each decoder: they decode photos and decide which of them wait in the inbox instead."""

import queue
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial

import structlog

from daemon.decoders.pool import DecoderPool, PoolStopped
from daemon.inbox.claimed_photo import Claimed, Returned
from daemon.monitoring.stages import StageMonitor
from daemon.photo import UNREAD_SHA256
from daemon.pipeline import decode
from daemon.pipeline.attempts import AttemptTracker
from daemon.pipeline.decode import Decoded
from daemon.settings import Settings
from models.errors import ImageErrorKind
from models.filenames import escape_name

log = structlog.get_logger()

# Not every format shows that its end is missing, so damage may be a file whose writer is not finished.
_MAY_BE_UNFINISHED = {ImageErrorKind.TRUNCATED, ImageErrorKind.CORRUPT}


class Readers:
    """The reader threads.

    Attributes:
        decoding: Number of photos that wait for a thread or are being decoded.
    """

    def __init__(
        self,
        decoders: DecoderPool,
        stages: StageMonitor,
        settings: Settings,
        *,
        may_file_unread: Callable[[], bool],
        on_result: Callable[[Decoded | Returned], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Prepares the threads.

        Args:
            decoders: Decoders of the threads.
            stages: Monitor of the stages.
            settings: Settings of the daemon.
            may_file_unread: Whether a photo that is too large to be read can be filed; else it has to wait.
            on_result: Called in a thread with each decoded photo, or photo that has to wait in the inbox.
            on_error: Called with the exception if `on_result` or a decision fails.
        """
        self.decoding = 0
        self._decoders = decoders
        self._stages = stages
        self._max_bytes = settings.images.max_bytes
        self._truncated_s = settings.watch.truncated_s
        self._may_file_unread = may_file_unread
        self._on_result = on_result
        self._on_error = on_error
        self._on_progress = partial(stages.progress, "decode")
        self._attempts = AttemptTracker()
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[Claimed, float] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name="decode") for _ in range(decoders.size)]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, photos: Collection[Claimed], since: float) -> None:
        """Adds photos that were claimed at `since` (monotonic s)."""
        with self._lock:
            self.decoding += len(photos)
        self._stages.enter("decode", len(photos))
        for claimed in photos:
            self._waiting.put((claimed, since))

    def stop(self) -> None:
        """Stops the decoders and the threads; photos that are not decoded become results that wait in the inbox."""
        self._decoders.stop()
        with suppress(queue.Empty):
            while photo := self._waiting.get_nowait():
                self._stages.leave("decode")
                self._pass_on(Returned(photo[0]))
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (photo := self._waiting.get()) is not None:
            try:
                self._pass_on(self._read(*photo))
            except BaseException as error:  # noqa: BLE001
                self._on_error(error)

    def _pass_on(self, result: Decoded | Returned) -> None:
        with self._lock:
            self.decoding -= 1
        self._on_result(result)

    def _read(self, claimed: Claimed, since: float) -> Decoded | Returned:
        try:
            with self._stages.work("decode", workers=len(self._threads), since=since):
                decoded = decode.read(claimed, self._decoders, self._max_bytes, self._on_progress)
            was_modified = claimed.was_modified()
        except PoolStopped:
            return Returned(claimed)
        except OSError as error:
            return Returned(claimed, refusal=f"cannot be read: {error.strerror}")
        return Returned(claimed) if was_modified else self._check(claimed, decoded)

    def _check(self, claimed: Claimed, decoded: Decoded) -> Decoded | Returned:
        """Decides whether a photo goes on to the network or waits in the inbox."""
        if decoded.sha256 == UNREAD_SHA256 and not self._may_file_unread():
            return Returned(claimed, refusal=f"{decoded.error}; failed/ is on another filesystem, so it is not copied")
        still_s = time.monotonic() - claimed.stable_since
        if decoded.error is not None and decoded.error.kind in _MAY_BE_UNFINISHED and still_s < self._truncated_s:
            return Returned(claimed, wait_s=self._truncated_s)
        photo = claimed.identity_in_inbox + (f":{escape_name(claimed.path)}" if claimed.linked else "")
        with self._lock:
            attempt = self._attempts.record(photo, decoded.error.kind if decoded.error else None)
        if attempt.pause_s is not None:
            log.warning(
                "decoding failed; retrying later",
                photo=escape_name(claimed.path),
                reason=str(decoded.error),
                attempt=attempt.number,
            )
            return Returned(claimed, wait_s=still_s + attempt.pause_s)
        return decoded if attempt.number == 1 else replace(decoded, attempts=attempt.number)
