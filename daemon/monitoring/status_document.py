"""The status document, the output of `foodsort status --format json`."""

from typing import Literal, TypedDict

State = Literal["starting", "watching", "polling", "waiting", "stopping", "stopped"]
"""`watching`: inotify reports all changes. `polling`: it does not. `waiting`: for a problem to end."""


class RetryStatus(TypedDict):
    """A temporary problem that the daemon waits for.

    Attributes:
        what: Message of the error.
        since: Time of its first occurrence.
        attempt: Number of attempts so far.
        next_try: Time of the next attempt.
    """

    what: str
    since: str
    attempt: int
    next_try: str


class QueueStatus(TypedDict):
    """Numbers of photos that are not filed.

    Attributes:
        inbox: Listed files of the inbox, 10,000 or a little more at most.
        in_flight: Claimed photos.
    """

    inbox: int
    in_flight: int


class WaitingPhoto(TypedDict):
    """The photo that has waited longest.

    Attributes:
        path: Path in the inbox; a long one is shortened at its start.
        since: Start of its wait.
    """

    path: str
    since: str


class PhotoCounts(TypedDict):
    """Photos filed in this run, by destination."""

    food: int
    non_food: int
    unsure: int
    duplicate: int
    other: int
    failed: int


class DriftStatus(TypedDict):
    """Drift of the newest photos.

    Attributes:
        photos: Number of newest photos.
        stability: Population stability index of their P(food).
        food: Share of food, in [0, 1].
        unsure: Share of photos between the thresholds, in [0, 1].
        expected_food: Share of food on the model's card.
        expected_unsure: Share of photos between the thresholds on the model's card.
        shifted: Whether the index is above its limit.
    """

    photos: int
    stability: float
    food: float
    unsure: float
    expected_food: float
    expected_unsure: float
    shifted: bool


class EventsStatus(TypedDict):
    """How the daemon notices new files.

    Attributes:
        kind: `inotify` or `polling`.
        why: Reason for polling; None for inotify.
    """

    kind: str
    why: str | None


class ErrorStatus(TypedDict):
    """A recent warning or error.

    Attributes:
        at: Time of its last occurrence.
        kind: Kind for programs.
        path: Path of the photo, if it is about one.
        message: Message for people.
    """

    at: str
    kind: str
    path: str | None
    message: str


class StatusDocument(TypedDict):
    """The status. Times are UTC, ISO 8601; None stands for unknown values.

    Attributes:
        alive: Whether a daemon runs.
        pid: Process id of the daemon, or of the last one.
        since: Start of the daemon, or of the last one.
        state: State of the daemon.
        waiting_for: The temporary problem that the daemon waits for.
        queue: Numbers of waiting photos.
        more_waiting: Whether the inbox may have more files than `queue` says, because a scan is under way.
        oldest_waiting: Photo that has waited longest.
        photos: Photos filed in this run.
        rate_per_min: Photos filed in the last minute.
        slowest_stage: Stage that worked longest in the last five minutes: `decode`, `look_up`, `classify` or `file`.
        model: Name of the model in use.
        engine: Name of the engine that runs it.
        drift: Drift of the newest photos; None while they are few.
        events: How the daemon notices new files.
        last_errors: Up to ten warnings and errors, newest first.
    """

    alive: bool
    pid: int | None
    since: str | None
    state: State | None
    waiting_for: RetryStatus | None
    queue: QueueStatus
    more_waiting: bool
    oldest_waiting: WaitingPhoto | None
    photos: PhotoCounts
    rate_per_min: int
    slowest_stage: str | None
    model: str | None
    engine: str | None
    drift: DriftStatus | None
    events: EventsStatus | None
    last_errors: list[ErrorStatus]


EMPTY: StatusDocument = {
    "alive": False,
    "pid": None,
    "since": None,
    "state": "stopped",
    "waiting_for": None,
    "queue": {"inbox": 0, "in_flight": 0},
    "more_waiting": False,
    "oldest_waiting": None,
    "photos": {"food": 0, "non_food": 0, "unsure": 0, "duplicate": 0, "other": 0, "failed": 0},
    "rate_per_min": 0,
    "slowest_stage": None,
    "model": None,
    "engine": None,
    "drift": None,
    "events": None,
    "last_errors": [],
}
"""The status of a root without a daemon."""
