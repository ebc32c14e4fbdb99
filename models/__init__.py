"""The trained model: image decoding, the network, the bundle on disk and the engines that run it."""

from typing import Literal

__version__ = "0.12.0"

OWNER = "foodsort"
"""The project that this package belongs to, for `daemon.cli.import_guard`; also the name of the logger."""

Label = Literal["food", "non_food", "unsure"]
"""The labels of a photo."""

EngineName = Literal["auto", "tensorflow", "openvino", "scripted"]
"""The engines by the names in settings and options; `auto` is the fastest one for the bundle on this machine."""

Precision = Literal["auto", "float32"]
"""Number format of the computation: `auto` is int8 if the bundle has it, else the fastest one of the engine."""
