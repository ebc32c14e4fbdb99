"""Runs a bundle's int8 model with OpenVINO on the CPU, more than twice as fast as float32 there."""

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import INT8, Bundle
from models.engines import Logits, Maps
from models.engines.ladder import climb, rungs
from models.engines.tensorflow import traced
from models.errors import EngineError
from models.images import Pixels
from models.resnet50 import LAST_MAP

if TYPE_CHECKING:
    import keras

# Larger batches gain nothing on CPUs, and make photos and a stop wait for each other.
_TOP = 8
_LATENCY = {"PERFORMANCE_HINT": "LATENCY"}


class OpenVinoEngine:
    """All cores work on one small batch after another."""

    def __init__(self, bundle: Bundle, max_batch: int) -> None:
        """Raises EngineError when the bundle holds no OpenVINO model or this CPU cannot run it."""
        if INT8 not in bundle.card.files:
            raise EngineError(
                f"the bundle {bundle.model_name} holds no OpenVINO model; set model.engine to auto or tensorflow"
            )
        self._path = bundle.folder / INT8
        self._core = load_openvino().Core()
        self._request = self._compile()
        self.name = f"openvino int8 {self._core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}"
        self.ladder = rungs(min(max_batch, _TOP))
        self.largest = self.ladder[-1]
        # Kernels for a batch size are built at the first batch of it.
        for rung in self.ladder:
            self.logits(np.zeros((rung, bundle.card.fit.side, bundle.card.fit.side, 3), np.uint8))

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,)."""
        return climb(lambda chunk: self._infer(self._request, chunk, 0), pixels, self.ladder)[:, 0]

    def last_map(self, pixels: Pixels) -> Maps:
        """uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048), computed in int8 as the logits are.

        The first call compiles the model anew with a second output. Raises EngineError when the model does not name it.
        """
        channels_first = climb(lambda chunk: self._infer(self._request_for_map, chunk, LAST_MAP), pixels, self.ladder)
        return np.moveaxis(channels_first, 1, -1)

    @cached_property
    def _request_for_map(self) -> Any:
        return self._compile(LAST_MAP)

    def _compile(self, *more_outputs: str) -> Any:
        try:
            model = self._core.read_model(self._path)
            named = {name for step in model.get_ops() for output in step.outputs() for name in output.get_names()}
            if not named.issuperset(more_outputs):
                raise EngineError(
                    f"{self._path} is an older model that does not tell its last feature map; train the bundle again, "
                    "or explain it with the engine tensorflow"
                )
            model.add_outputs(list(more_outputs))
            return self._core.compile_model(model, "CPU", _LATENCY).create_infer_request()
        except RuntimeError as error:
            raise self._cannot_run(error) from error

    def _infer(self, request: Any, pixels: Pixels, output: int | str) -> np.typing.NDArray[np.float32]:
        try:
            return np.array(request.infer({0: pixels})[output], np.float32)
        except RuntimeError as error:
            raise self._cannot_run(error) from error

    def _cannot_run(self, error: RuntimeError) -> EngineError:
        reason = " ".join(str(error).split())  # OpenVINO's own has line breaks
        return EngineError(f"OpenVINO cannot run {self._path}: {reason}; set model.engine to tensorflow")


def load_openvino() -> Any:
    """Imports OpenVINO without its telemetry, which would report its use to its makers without asking.

    Raises EngineError when it does not load here.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported
    try:
        import openvino
    except ImportError as error:
        raise EngineError(f"OpenVINO cannot be loaded ({error}); set model.engine to tensorflow") from error
    return openvino


def convert(network: "keras.Model") -> Any:
    """The network as a float32 `openvino.Model`, batch size open, in which the tensor of the last map is named LAST_MAP.

    OpenVINO lays that tensor out as (n, channels, h, w).
    """
    model = load_openvino().convert_model(traced(network).get_concrete_function())
    # Keras' names are gone where OpenVINO moves channels to the front, so the one mean over the places is looked for.
    means = [step for step in model.get_ops() if step.get_type_name() == "ReduceMean"]
    (pooling,) = (step for step in means if len(step.get_input_partial_shape(0)) == 4)
    pooling.input_value(0).get_tensor().add_names({LAST_MAP})
    return model
