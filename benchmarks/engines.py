"""`python -m benchmarks.engines PHOTOS`: speed of each engine on this machine, and its deviation from Keras."""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from models.bundle import INT8, Bundle
from models.decision import Floats, probability
from models.engines import open_engine
from models.engines.base import Logits
from models.engines.openvino import OpenVinoEngine
from models.engines.openvino_graph import convert, load_openvino
from models.engines.tensorflow import load_tensorflow
from models.errors import FoodsortError
from models.images.decode import Fit, Pixels, decode

if TYPE_CHECKING:
    import keras

BATCH = 8

Run = Callable[[Pixels], Logits]


class Row(NamedTuple):
    """The result of one engine.

    Attributes:
        name: Name of the engine.
        photos_s: Median photos a second.
        largest: Largest |ΔP(food)| from Keras.
        changed: Number of labels that differ from Keras'.
    """

    name: str
    photos_s: float
    largest: float
    changed: int


def main() -> None:
    """Prints the table; exits with 1 and a message if there is no bundle or no photo."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--model", type=Path, help="model bundle (default: the one shipped with foodsort)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="runs of each engine over all photos (default: %(default)s)"
    )
    arguments = parser.parse_args()
    try:
        bundle = Bundle.load(arguments.model)
        pixels = read(arguments.photos, bundle.card.fit)
        rows = measure(bundle, pixels, arguments.rounds)
    except FoodsortError as error:
        parser.exit(1, f"benchmarks: {error}\n")
    table = Table("engine", "photos/s", "× first", "largest |ΔP|", "labels changed")
    for row in rows:
        speedup = f"{row.photos_s / rows[0].photos_s:.2f}"
        table.add_row(row.name, f"{row.photos_s:.1f}", speedup, f"{row.largest:.6f}", str(row.changed))
    title = f"{bundle.model_name}, {len(pixels)} photos, batches of {BATCH}, median of {arguments.rounds} rounds"
    console = Console(highlight=False)
    console.print(title, processor(), table, "ΔP: difference of P(food) from Keras in float32", sep="\n")


def read(folder: Path, fit: Fit) -> Pixels:
    """Reads the photos of a folder in the order of their names, uint8 RGB (n, side, side, 3). Raises FoodsortError."""
    photos = [decode(path.read_bytes(), fit).pixels for path in sorted(folder.glob("*.*"))]
    if not photos:
        raise FoodsortError(f"{folder} holds no photos; name a folder that does")
    return np.stack(photos)


def measure(bundle: Bundle, pixels: Pixels, rounds: int) -> list[Row]:
    """Measures each engine that can run a bundle, TensorFlow first.

    The engines alternate in each round, so that interference affects all of them.
    """
    load_tensorflow()
    network = bundle.load_network()
    tensorflow = open_engine("tensorflow", bundle, BATCH)
    runs: dict[str, Run] = {
        f"{tensorflow.name} float{'16' if 'gpu' in tensorflow.name else '32'}": tensorflow.logits,
        "openvino float32": openvino_run(network, "f32"),
        "openvino own precision": openvino_run(network),
    }
    if INT8 in bundle.card.files:
        runs["openvino int8"] = OpenVinoEngine(bundle, BATCH).logits
    threshold = bundle.card.thresholds.food

    def p_food(run: Run) -> Floats:
        return probability(run(pixels), bundle.card.temperature)

    expected = p_food(keras_run(network))
    p_food_by_name = {name: p_food(run) for name, run in runs.items()}  # also warms each engine up
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(pixels)
            seconds[name].append(time.perf_counter() - start)
    return [
        Row(
            name=name,
            photos_s=len(pixels) / statistics.median(seconds[name]),
            largest=float(np.abs(probabilities - expected).max()),
            changed=int(((probabilities >= threshold) != (expected >= threshold)).sum()),
        )
        for name, probabilities in p_food_by_name.items()
    ]


def keras_run(network: "keras.Model") -> Run:
    """Runs Keras itself, layer by layer: nothing is fused or rounded."""
    return _batched(lambda chunk: np.asarray(network(chunk, training=False)))


def openvino_run(network: "keras.Model", precision: str | None = None) -> Run:
    """Runs OpenVINO on the float32 network.

    Args:
        network: The network.
        precision: `f32` for float32; if None, OpenVINO chooses, which is bfloat16 on a CPU with AMX.
    """
    hints = {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": precision} if precision else {})
    request = load_openvino().Core().compile_model(convert(network), "CPU", hints).create_infer_request()
    return _batched(lambda chunk: np.array(request.infer({0: chunk})[0]))


def _batched(run: Callable[[Pixels], Any]) -> Run:
    return lambda pixels: np.concatenate([run(pixels[at : at + BATCH]) for at in range(0, len(pixels), BATCH)])[:, 0]


def processor() -> str:
    """Returns the name of the CPU, and whether it has AMX, Intel's units for matrix products in bfloat16 and int8."""
    has_amx = "amx_tile" in Path("/proc/cpuinfo").read_text().split()
    name = load_openvino().Core().get_property("CPU", "FULL_DEVICE_NAME").strip()
    return f"{name} {'with' if has_amx else 'without'} AMX"


if __name__ == "__main__":
    main()
