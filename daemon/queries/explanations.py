"""Explanations of each state of a photo, for commands and the review page."""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.photo import State


@dataclass(frozen=True)
class Explanation:
    """A state in words.

    Attributes:
        place: Where the photo is; empty when it is in the folder of its label.
        history: The event in the history of the photo, one sentence with `{path}`.
        refusal: Why the photo can be neither undone nor retried, to follow its name; empty when it can.
    """

    place: str
    history: str
    refusal: str


EXPLANATIONS: Mapping[State, Explanation] = {
    "filing": Explanation(
        place="on its way to its folder",
        history="It is on its way to {path}.",
        refusal="is being moved; try again in a moment",
    ),
    "filed": Explanation(
        place="",
        history="It was moved to {path}.",
        refusal="is sorted; `foodsort undo` moves it back to the inbox first",
    ),
    "correcting": Explanation(
        place="on its way to its folder",
        history="It is on its way to {path}.",
        refusal="is being moved; try again in a moment",
    ),
    "failed": Explanation(
        place="failed",
        history="It was set aside at {path}.",
        refusal="",
    ),
    "deleting": Explanation(
        place="being deleted",
        history="It was set aside at {path}, and is being deleted.",
        refusal="is being deleted",
    ),
    "deleted": Explanation(
        place="deleted",
        history="It was set aside at {path}, and a person deleted it.",
        refusal="was deleted",
    ),
    "duplicate": Explanation(
        place="set aside as an exact copy",
        history="It was set aside at {path}.",
        refusal="is an exact copy that was set aside; `foodsort undo` moves it back to the inbox first",
    ),
    "other": Explanation(
        place="no image, set aside",
        history="It was set aside at {path}.",
        refusal="is no image; `foodsort undo` moves it back to the inbox first",
    ),
    "missing": Explanation(
        place="taken away by somebody else",
        history="Somebody else took it away; its last known place is {path}.",
        refusal="was taken away by somebody else",
    ),
    "undoing": Explanation(
        place="on its way back to the inbox",
        history="It is on its way back to the inbox.",
        refusal="is being moved back to the inbox",
    ),
    "undone": Explanation(
        place="in the inbox, to stay there",
        history="It was moved back to the inbox, to stay there.",
        refusal="is in the inbox already, and stays there until `foodsort retry PATH`",
    ),
    "retrying": Explanation(
        place="on its way back to the inbox",
        history="It is on its way back to the inbox, to be sorted again.",
        refusal="is being moved back to the inbox",
    ),
    "retry": Explanation(
        place="in the inbox, to be sorted again",
        history="It was moved back to the inbox, to be sorted again.",
        refusal="is in the inbox already, to be sorted again",
    ),
}

WHY_NOT_MOVED: Mapping[State, str] = {
    state: explanation.refusal for state, explanation in EXPLANATIONS.items() if explanation.refusal
}
"""Why a photo in a state can be neither undone nor retried."""

WHY_NOT_LABELLED: Mapping[State, str] = {
    **WHY_NOT_MOVED,
    "failed": "could not be decoded, so no label fits; repair the file, then run `foodsort retry PATH`",
    "duplicate": "is an exact copy that was set aside; label the original instead",
    "other": "is no image, so no label fits",
    "undone": "is in the inbox; `foodsort retry PATH` sorts it, then it can be labelled",
    "retry": "is in the inbox, to be sorted again; it can be labelled after that",
}
"""Why a photo in a state cannot be labelled. A filed photo can, so its entry is never shown."""

WHY_NOT_DELETED: Mapping[State, str] = {
    **WHY_NOT_MOVED,
    "filed": "is sorted; only failed photos can be deleted",
    "duplicate": "is an exact copy that was set aside; only failed photos can be deleted",
    "other": "is no image that was set aside; only failed photos can be deleted",
}
"""Why a photo in a state cannot be deleted."""
