"""The competitors that are measured.

Except for foodsort, each is a script in this folder, written as plainly as by a person who knows the library. Its
arguments are a folder with `inbox/`, the file of the network, and for some scripts one option. It moves each photo to
`food/` or `non_food/` and writes a row to the table `results` of a SQLite file. All run foodsort's own network.
"""

import sys
from pathlib import Path
from typing import Literal, NamedTuple

from models import Precision

NetworkFile = Literal["model.keras", "network.onnx", "network.xml"]
"""The network for Keras, ONNX Runtime or OpenVINO, see `benchmarks.export`."""


class Competitor(NamedTuple):
    """A way to sort photos.

    Attributes:
        name: Its name.
        library: The library that runs the network.
        script: Name of its script without .py; "" for foodsort.
        network: The file that it reads.
        option: Last argument of the script, or the engine of foodsort.
        precision: Precision of foodsort's engine.
    """

    name: str
    library: str
    script: str
    network: NetworkFile
    option: str = ""
    precision: Precision = "auto"

    def command(self, root: Path, exported: Path) -> list[str]:
        """Returns the command that sorts the photos in `root/inbox`, to run in the project's folder."""
        if not self.script:
            return [sys.executable, "-m", "daemon", "run", "--root", str(root), "--once"]
        script = Path(__file__).with_name(f"{self.script}.py")
        command = [sys.executable, str(script), str(root), str(exported / self.network)]
        return [*command, self.option] if self.option else command

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the command."""
        if self.script:
            return {}
        return {"FOODSORT_MODEL__ENGINE": self.option, "FOODSORT_MODEL__PRECISION": self.precision}


FOODSORT = Competitor("foodsort", "foodsort", "", "model.keras", "auto")
FOODSORT_TENSORFLOW = Competitor("foodsort tensorflow", "foodsort", "", "model.keras", "tensorflow")
FOODSORT_FLOAT32 = Competitor("foodsort float32", "foodsort", "", "model.keras", "auto", "float32")
ARTICLE = Competitor("article", "tensorflow", "article", "model.keras")

COMPETITORS = (
    ARTICLE,
    Competitor("Keras", "tensorflow", "keras_batches", "model.keras"),
    Competitor("tf.data 8", "tensorflow", "tf_data", "model.keras", "8"),
    Competitor("tf.data 32", "tensorflow", "tf_data", "model.keras", "32"),
    Competitor("ONNX Runtime", "onnx", "onnx_runtime", "network.onnx"),
    Competitor("OpenVINO f32", "openvino", "openvino_loop", "network.xml", "f32"),
    Competitor("OpenVINO", "openvino", "openvino_loop", "network.xml"),
    Competitor("OpenVINO async f32", "openvino", "openvino_async", "network.xml", "f32"),
    Competitor("OpenVINO async", "openvino", "openvino_async", "network.xml"),
    FOODSORT_TENSORFLOW,
    FOODSORT_FLOAT32,
    FOODSORT,
)
