"""`python -m benchmarks.engines PHOTOS`: how fast each way to run a bundle is here, and how far it is from Keras."""

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
from models.decision import probability
from models.engines import open_engine
from models.engines.base import Logits
from models.engines.openvino import OpenVinoEngine, convert, load_openvino
from models.engines.tensorflow import load_tensorflow
from models.errors import FoodsortError
from models.images.decode import Fit, Pixels, decode

if TYPE_CHECKING:
    import keras

BATCH = 8

Run = Callable[[Pixels], Logits]


class Row(NamedTuple):
    """A way to run a bundle: median photos a second, largest |ΔP(food)| from Keras, labels other than Keras'."""

    name: str
    photos_s: float
    largest: float
    changed: int


def main() -> None:
    """Prints the table; exits 1 with a message when there is no bundle or no photo."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--model", type=Path, help="bundle; foodsort's own if none is named")
    parser.add_argument("--rounds", type=int, default=5, help="how often each engine runs over all photos")
    given = parser.parse_args()
    try:
        bundle = Bundle.load(given.model)
        rows = measure(bundle, pixels := read(given.photos, bundle.card.fit), given.rounds)
    except FoodsortError as error:
        parser.exit(1, f"benchmarks: {error}\n")
    table = Table("engine", "photos/s", "× first", "largest |ΔP|", "labels changed")
    for row in rows:
        ratio = f"{row.photos_s / rows[0].photos_s:.2f}"
        table.add_row(row.name, f"{row.photos_s:.1f}", ratio, f"{row.largest:.6f}", str(row.changed))
    said = f"{bundle.model_name}, {len(pixels)} photos, batches of {BATCH}, median of {given.rounds} rounds"
    Console(highlight=False).print(said, processor(), table, "ΔP: of P(food), from Keras in float32", sep="\n")


def read(folder: Path, fit: Fit) -> Pixels:
    """The photos of a folder in the order of their names, uint8 RGB (n, side, side, 3). Raises FoodsortError."""
    found = [decode(path.read_bytes(), fit).pixels for path in sorted(folder.glob("*.*"))]
    if not found:
        raise FoodsortError(f"{folder} holds no photos; name a folder that does")
    return np.stack(found)


def measure(bundle: Bundle, pixels: Pixels, rounds: int) -> list[Row]:
    """A row for each way that `bundle` can run, TensorFlow first, all in turn in each round: a busy moment hits each."""
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
    temperature, food = bundle.card.temperature, bundle.card.thresholds.food
    expected = probability(keras_run(network)(pixels), temperature)
    found = {name: probability(run(pixels), temperature) for name, run in runs.items()}  # and warms each up
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(pixels)
            seconds[name].append(time.perf_counter() - start)
    rows = []
    for name, p_food in found.items():
        changed = int(((p_food >= food) != (expected >= food)).sum())
        largest = float(np.abs(p_food - expected).max())
        rows.append(Row(name, len(pixels) / statistics.median(seconds[name]), largest, changed))
    return rows


def keras_run(network: "keras.Model") -> Run:
    """Keras itself, layer by layer: nothing is fused or rounded."""
    return _batched(lambda chunk: np.asarray(network(chunk, training=False)))


def openvino_run(network: "keras.Model", precision: str | None = None) -> Run:
    """OpenVINO on the float32 network; `precision` (f32) holds it to one, or it picks bfloat16 where the CPU has AMX."""
    hints = {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": precision} if precision else {})
    request = load_openvino().Core().compile_model(convert(network), "CPU", hints).create_infer_request()
    return _batched(lambda chunk: np.array(request.infer({0: chunk})[0]))


def _batched(run: Callable[[Pixels], Any]) -> Run:
    return lambda pixels: np.concatenate([run(pixels[at : at + BATCH]) for at in range(0, len(pixels), BATCH)])[:, 0]


def processor() -> str:
    """The CPU's name, and whether it has AMX, Intel's units for products of bfloat16 and int8 matrices."""
    has = "with" if "amx_tile" in Path("/proc/cpuinfo").read_text().split() else "without"
    return f"{load_openvino().Core().get_property('CPU', 'FULL_DEVICE_NAME').strip()} {has} AMX"


if __name__ == "__main__":
    main()
