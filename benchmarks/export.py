"""`python -m benchmarks.export FOLDER [onnx]`: foodsort's network in float32, in the formats of other libraries."""

import shutil
import sys
from pathlib import Path

from models.bundle import NETWORK, Bundle
from models.engines.openvino import convert, load_openvino
from models.engines.tensorflow import load_tensorflow


def main(folder: Path, *, onnx: bool) -> None:
    """Writes model.keras, network.xml and network.bin, and with `onnx` also network.onnx (by tf2onnx)."""
    load_tensorflow()
    import keras

    bundle = Bundle.load()
    shutil.copyfile(bundle.folder / NETWORK, folder / NETWORK)
    network = bundle.load_network()
    load_openvino().save_model(convert(network), folder / "network.xml", compress_to_fp16=False)
    if onnx:
        pixels = keras.InputSpec(shape=network.input_shape, dtype="uint8", name="pixels")
        network.export(folder / "network.onnx", format="onnx", verbose=False, input_signature=[pixels])


if __name__ == "__main__":
    main(Path(sys.argv[1]), onnx="onnx" in sys.argv[2:])
