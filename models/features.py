"""The positions of photos among the kernels of a model's heads: what heads are fitted on, and what a label is read from.

Bundles that stand on one base share its network and its projections, so one position serves all of their heads.
"""

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.bundle import INT8, INT8_WEIGHTS, NETWORK, Bundle
from models.cascade import Cascade, combine, reduce
from models.engines.openvino_graph import FLOAT32, load_openvino
from models.errors import BundleError, EngineError
from models.head import COMPARED, Head
from models.images.decode import Pixels

Positions = npt.NDArray[np.float16]
"""(n, k)"""
Logits = npt.NDArray[np.float32]

_BATCH = 8  # photos; larger batches are no faster on CPUs
_ROWS = 2048  # photos whose kernels are in memory at a time: 3,000 centres take 24 MB


class FeatureExtractor:
    """Computes positions with the network of a bundle; threads take turns.

    Attributes:
        digest: Digest of all that positions depend on but the photo: network, projections, fit. Bundles that stand on
            one base have the same.
        sides: Sides of the pictures (pixels), the full side first.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Loads the network: the int8 model by OpenVINO, without TensorFlow. A bundle without one needs TensorFlow.

        Raises:
            BundleError: The bundle has no heads to fit again, or its network cannot be loaded.
            EngineError: The network cannot run on this machine.
        """
        heads = bundle.heads
        self.digest = feature_digest(bundle)
        self.sides = tuple(heads)
        self._projections = {side: _without_kernels(head) for side, head in heads.items()}
        self._run = _int8(bundle) if INT8 in bundle.card.files else _float32(bundle)
        self._lock = threading.Lock()

    def positions(self, pixels: Pixels) -> dict[int, Positions]:
        """Computes the positions of photos by the side of the picture.

        Args:
            pixels: uint8 RGB (n, side, side, 3) at the full side.

        Returns:
            float16 (n, k) for each side, in the space of the kernels of its head.

        Raises:
            EngineError: The network has failed.
        """
        return {side: self._at(side, head, pixels) for side, head in self._projections.items()}

    def _at(self, side: int, head: Head, pixels: Pixels) -> Positions:
        found = [np.zeros((0, head.components.shape[1]), np.float16)]
        for start in range(0, len(pixels), _BATCH):
            batch = pixels[start : start + _BATCH]
            if side != batch.shape[1]:
                batch = reduce(batch, side)
            with self._lock:
                compared = self._run(batch)
            found.append(head.project(compared).astype(np.float16))
        return np.concatenate(found)


def feature_digest(bundle: Bundle) -> str:
    """Returns the `digest` that an extractor of a bundle has, without loading the network.

    Raises:
        BundleError: The bundle has no heads to fit again.
    """
    heads = bundle.heads
    if not heads:
        raise BundleError(
            f"{bundle.folder} is a bundle of foodsort before 0.10, whose head cannot be fitted again; use a newer "
            "bundle, or train one with `foodsort train`"
        )
    names = (INT8, INT8_WEIGHTS) if INT8 in bundle.card.files else (NETWORK,)
    digest = hashlib.sha256(repr((bundle.card.fit, [bundle.card.files[name] for name in names])).encode())
    for side, head in heads.items():
        digest.update(repr((side, head.components.shape)).encode())
        digest.update(head.components.tobytes() + head.offset.tobytes())
    return digest.hexdigest()


def logits_by_side(heads: Mapping[int, Head], positions: Mapping[int, npt.NDArray[Any]]) -> Logits:
    """Computes the logits of n photos by each head: float32 (n, number of heads), in the order of `heads`.

    Args:
        heads: The heads of a bundle by side.
        positions: float16 or float32 (n, k) by side, of a network and projections that the heads share.
    """
    columns = []
    for side, head in heads.items():
        at = positions[side]
        parts = [at[start : start + _ROWS] for start in range(0, len(at), _ROWS)] or [at]
        columns.append(np.concatenate([head.logits_at(part.astype(np.float32)) for part in parts]))
    return np.stack(columns, axis=1)


def logits_of(heads: Mapping[int, Head], positions: Mapping[int, npt.NDArray[Any]], cascade: Cascade | None) -> Logits:
    """Computes the logits of n photos after one look or two, as an engine does: float32 (n,).

    Args:
        heads: The heads of a bundle by side, the full side first.
        positions: float16 or float32 (n, k) by side.
        cascade: The small look; None for one look at the full side.
    """
    full = next(iter(heads))
    if cascade is None:
        return logits_by_side({full: heads[full]}, positions)[:, 0]
    return combine(logits_by_side({side: heads[side] for side in (full, cascade.side)}, positions), cascade.margin)


def _without_kernels(head: Head) -> Head:
    """Keeps the projection of a head; its centres would take 8 MB of a service."""
    return dataclasses.replace(head, centres=np.zeros_like(head.centres[:1]), weights=np.zeros(1, np.float32))


def _int8(bundle: Bundle) -> Callable[[Pixels], npt.NDArray[np.float32]]:
    path = bundle.path(INT8)
    try:
        request = load_openvino().Core().compile_model(path, "CPU", FLOAT32).create_infer_request()
    except RuntimeError as error:
        raise _cannot_run(bundle, error) from error

    def run(pixels: Pixels) -> npt.NDArray[np.float32]:
        try:
            return np.array(request.infer({0: pixels})[0], np.float32)
        except RuntimeError as error:
            raise _cannot_run(bundle, error) from error

    return run


def _cannot_run(bundle: Bundle, error: RuntimeError) -> EngineError:
    reason = " ".join(str(error).split())  # OpenVINO's message has line breaks
    return EngineError(f"OpenVINO cannot run {bundle.path(INT8)}: {reason}; run this command on another machine")


def _float32(bundle: Bundle) -> Callable[[Pixels], npt.NDArray[np.float32]]:
    from models.engines.tensorflow import load_tensorflow

    try:
        load_tensorflow()
    except ImportError as error:
        raise EngineError(
            f"{bundle.folder} has no OpenVINO model, and TensorFlow, which runs its float32 network, cannot be loaded "
            f"({error}); install TensorFlow, or train the bundle again"
        ) from error
    import keras

    network = bundle.load_network()
    compared = keras.Model(network.input, network.get_layer(COMPARED).output)
    return lambda pixels: np.asarray(compared(pixels, training=False), np.float32)
