"""`python -m benchmarks.export FOLDER [onnx]`: foodsort's network in float32, in the formats of other libraries."""

import sys
from pathlib import Path

from models.bundle import NETWORK, Bundle, save_network
from models.engines.openvino_graph import convert, load_openvino
from models.engines.tensorflow import load_tensorflow


def main(folder: Path, *, onnx: bool) -> None:
    """Writes model.keras, network.xml and network.bin, and with `onnx` also network.onnx (by tf2onnx).

    They take pictures of the full side only, and have its head.
    """
    load_tensorflow()
    import keras

    bundle = Bundle.load()
    side = bundle.card.fit.side
    pixels = keras.Input((side, side, 3), dtype="uint8", name="pixels")
    network = keras.Model(pixels, bundle.load_network()(pixels)[:, :1])
    save_network(network, folder / NETWORK)
    load_openvino().save_model(convert(network), folder / "network.xml", compress_to_fp16=False)
    if onnx:
        signature = keras.InputSpec(shape=network.input_shape, dtype="uint8", name="pixels")
        network.export(folder / "network.onnx", format="onnx", verbose=False, input_signature=[signature])


if __name__ == "__main__":
    main(Path(sys.argv[1]), onnx="onnx" in sys.argv[2:])
