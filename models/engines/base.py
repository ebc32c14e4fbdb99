"""The interface of all engines."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.bundle import Bundle
from models.errors import EngineError
from models.images.decode import Pixels

Logits = npt.NDArray[np.float32]
"""(n,), or (n, m) where m models are named."""
Maps = npt.NDArray[np.float32]
"""(n, h, w, channels), or (n, h, w) where the channels are summed."""


class Engine(Protocol):
    """Runs a network. As many threads as it has streams may call `logits` at a time; only one may call `last_map`."""

    @property
    def name(self) -> str:
        """The engine and its device, for rows and logs."""
        ...

    @property
    def largest(self) -> int:
        """The largest useful batch size (photos)."""
        ...

    @property
    def streams(self) -> int:
        """The number of batches to run at a time so that all cores are busy."""
        ...

    def logits(self, pixels: Pixels) -> Logits:
        """Computes the logits of a batch.

        Args:
            pixels: uint8 RGB (n, side, side, 3), n ≥ 1.

        Returns:
            float32 (n,).

        Raises:
            EngineError: The device has failed.
        """
        ...

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes the logits of a batch by the model and by its candidate, if the bundle has one.

        Args:
            pixels: uint8 RGB (n, side, side, 3), n ≥ 1.

        Returns:
            float32 (n, m), m = 1 or 2; the first column is that of `logits`.

        Raises:
            EngineError: The device has failed.
        """
        ...

    def last_map(self, pixels: Pixels) -> Maps:
        """Computes the last feature map, the input of the global average pooling. Prepared at the first call.

        Args:
            pixels: uint8 RGB (n, side, side, 3), n ≥ 1.

        Returns:
            float32 (n, h, w, channels).

        Raises:
            EngineError: The device has failed, or the engine has no feature map.
        """
        ...


def outputs_of(bundle: Bundle, side: int) -> list[int]:
    """Returns the outputs of the network for pictures of a side (pixels): the model's, and that of its candidate.

    Raises EngineError if there is none.
    """
    if side not in bundle.sides:
        sides = " or ".join(map(str, bundle.sides))
        raise EngineError(f"the model {bundle.model_name} takes pictures of {sides} px, not of {side}")
    first = bundle.sides.index(side)
    return [first + number * len(bundle.sides) for number, _ in enumerate(bundle.all_models)]
