"""Reader threads, one for each decoder: they decode photos and decide which of them wait in the inbox instead."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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
        self._attempts = AttemptTracker()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(decoders.size, "decode")

    def put(self, claimed: Claimed, since: float) -> None:
        """Adds a photo that was claimed at `since` (monotonic s)."""
        with self._lock:
            self.decoding += 1
        self._stages.enter("decode")
        future = self._threads.submit(self._decode, claimed, since)
        future.add_done_callback(lambda done: self._after_decoding(claimed, done))

    def stop(self) -> None:
        """Stops the decoders and the threads; photos that are not decoded become results that wait in the inbox."""
        self._decoders.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _decode(self, claimed: Claimed, since: float) -> Decoded:
        with self._stages.work("decode", workers=self._decoders.size, since=since):
            return decode.read(claimed, self._decoders, self._max_bytes, partial(self._stages.progress, "decode"))

    def _after_decoding(self, claimed: Claimed, done: "Future[Decoded]") -> None:
        try:
            if done.cancelled():
                self._stages.leave("decode")
            result = Returned(claimed) if done.cancelled() else self._check(claimed, done)
            with self._lock:
                self.decoding -= 1
            self._on_result(result)
        except BaseException as error:
            self._on_error(error)
            raise

    def _check(self, claimed: Claimed, done: "Future[Decoded]") -> Decoded | Returned:
        """Decides whether a photo goes on to the network or waits in the inbox."""
        try:
            decoded = done.result()
            was_modified = claimed.was_modified()
        except PoolStopped:
            return Returned(claimed)
        except OSError as error:
            return Returned(claimed, refusal=f"cannot be read: {error.strerror}")
        if was_modified:
            return Returned(claimed)
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
        return replace(decoded, attempts=attempt.number)
