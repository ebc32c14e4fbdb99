"""Who is measured. Beside this file lies a script for each but foodsort, as plain as a person who knows the library writes it.

A script is given a folder with `inbox/`, the file of the network, and sometimes one word more. It moves each photo to `food/`
or `non_food/` and writes its row to the table `results` of a SQLite file. The network is the same for all: foodsort's own.
"""

import sys
from pathlib import Path
from typing import Literal, NamedTuple

from models import Precision

Network = Literal["model.keras", "network.onnx", "network.xml"]
"""Keras' own file, or that network exported (see `benchmarks.export`) for ONNX Runtime or for OpenVINO."""


class Contestant(NamedTuple):
    """A way to sort photos.

    of: the library that runs the network. script: its file here, without .py; none for foodsort. network: what it reads.
    option: the script's last word, or the engine of foodsort. precision: of foodsort's engine.
    """

    name: str
    of: str
    script: str
    network: Network
    option: str = ""
    precision: Precision = "auto"

    def command(self, root: Path, exported: Path) -> list[str]:
        """What is run, in the project's folder, for the photos in `root/inbox`."""
        if not self.script:
            return [sys.executable, "-m", "daemon", "run", "--root", str(root), "--once"]
        words = [
            str(Path(__file__).with_name(f"{self.script}.py")),
            str(root),
            str(exported / self.network),
            self.option,
        ]
        return [sys.executable, *filter(None, words)]

    @property
    def environment(self) -> dict[str, str]:
        """Variables that it is run with."""
        return (
            {} if self.script else {"FOODSORT_MODEL__ENGINE": self.option, "FOODSORT_MODEL__PRECISION": self.precision}
        )


FOODSORT = Contestant("foodsort", "foodsort", "", "model.keras", "auto")
FOODSORT_TENSORFLOW = Contestant("foodsort tensorflow", "foodsort", "", "model.keras", "tensorflow")
FOODSORT_FLOAT32 = Contestant("foodsort float32", "foodsort", "", "model.keras", "auto", "float32")
ARTICLE = Contestant("article", "tensorflow", "article", "model.keras")

CONTESTANTS = (
    ARTICLE,
    Contestant("Keras", "tensorflow", "keras_batches", "model.keras"),
    Contestant("tf.data 8", "tensorflow", "tf_data", "model.keras", "8"),
    Contestant("tf.data 32", "tensorflow", "tf_data", "model.keras", "32"),
    Contestant("ONNX Runtime", "onnx", "onnx_runtime", "network.onnx"),
    Contestant("OpenVINO f32", "openvino", "openvino_loop", "network.xml", "f32"),
    Contestant("OpenVINO", "openvino", "openvino_loop", "network.xml"),
    Contestant("OpenVINO async f32", "openvino", "openvino_async", "network.xml", "f32"),
    Contestant("OpenVINO async", "openvino", "openvino_async", "network.xml"),
    FOODSORT_TENSORFLOW,
    FOODSORT_FLOAT32,
    FOODSORT,
)
