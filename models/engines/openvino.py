"""Runs a bundle with OpenVINO on the CPU: its int8 model, or its network in float32, which takes several times as long."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from models import Precision
from models.bundle import INT8, NETWORK, Bundle
from models.engines import Logits, Maps
from models.engines.converted import converted
from models.engines.ladder import climb, rungs
from models.engines.tensorflow import load_tensorflow, traced
from models.errors import EngineError
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP

if TYPE_CHECKING:
    import keras

# Larger batches gain nothing on CPUs, and make photos and a stop wait for each other.
_TOP = 8
# As many batches at a time as pays, each on threads of its own. One batch on all cores is slower: at every layer its threads
# wait for the one whose core a decoder has. For the same reason no thread is bound to a core.
_STREAMS = {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": False}


class OpenVinoEngine:
    """Each stream works on a small batch of its own."""

    def __init__(self, bundle: Bundle, max_batch: int, precision: Precision = "auto") -> None:
        """Raises EngineError when the bundle holds no OpenVINO model or this CPU cannot run it."""
        int8 = precision == "auto"
        if int8 and INT8 not in bundle.card.files:
            raise EngineError(
                f"the bundle {bundle.model_name} holds no OpenVINO model; set model.engine to auto or tensorflow"
            )
        self._bundle = bundle
        self._path = bundle.folder / (INT8 if int8 else NETWORK)
        self._hints = _STREAMS | ({} if int8 else {"INFERENCE_PRECISION_HINT": "f32"})
        self._core = load_openvino().Core()
        model = self._compile()
        self.name = (
            f"openvino {'int8' if int8 else 'float32'} {self._core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}"
        )
        self.ladder = rungs(min(max_batch, _TOP))
        self.largest = self.ladder[-1]
        self.streams: int = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._threads = ThreadPoolExecutor(self.streams)
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams):
            self._requests.put(model.create_infer_request())
        self._warm(bundle.card.fit.side)

    def _warm(self, side: int) -> None:
        """Has each stream build its kernels, which it does at the first batch of a size."""
        # One thread first: OpenVINO's bindings look NumPy up at their first use, and two threads in there wait for each other.
        self.logits(np.zeros((1, side, side, 3), np.uint8))
        sizes = [rung for rung in self.ladder for _ in range(self.streams)]
        list(self._threads.map(lambda size: self.logits(np.zeros((size, side, side, 3), np.uint8)), sizes))

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,)."""
        return climb(self._answer, pixels, self.ladder, self._threads)[:, 0]

    def _answer(self, chunk: Pixels) -> np.typing.NDArray[np.float32]:
        request = self._requests.get()
        try:
            return self._infer(request, chunk, 0)
        finally:
            self._requests.put(request)

    def last_map(self, pixels: Pixels) -> Maps:
        """uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048), computed as precisely as the logits are.

        The first call compiles the model anew with a second output. Raises EngineError when the model does not name it.
        """
        channels_first = climb(lambda chunk: self._infer(self._request_for_map, chunk, LAST_MAP), pixels, self.ladder)
        return np.moveaxis(channels_first, 1, -1)

    @cached_property
    def _request_for_map(self) -> Any:
        return self._compile(LAST_MAP).create_infer_request()

    def _compile(self, *more_outputs: str) -> Any:
        try:
            model = self._read()
            named = {name for step in model.get_ops() for output in step.outputs() for name in output.get_names()}
            if not named.issuperset(more_outputs):
                raise EngineError(
                    f"{self._path} is an older model that does not tell its last feature map; train the bundle again, "
                    "or explain it with the engine tensorflow"
                )
            model.add_outputs(list(more_outputs))
            return self._core.compile_model(model, "CPU", self._hints)
        except RuntimeError as error:
            raise self._cannot_run(error) from error

    def _read(self) -> Any:
        if self._path.name == INT8:
            return self._core.read_model(self._path)
        return converted(self._core, self._bundle, convert_bundle)

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


def convert_bundle(bundle: Bundle) -> Any:
    """`convert` for the network of a bundle, TensorFlow imported for it. Raises BundleError."""
    load_tensorflow()
    return convert(bundle.network())


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
