"""What a trained model is: the picture it sees, the network, the bundle on disk and the engines that run it."""

from typing import Literal

__version__ = "0.7.0"

OWNER = "foodsort"
"""Whose package this is; `daemon.cli.import_guard` looks at it."""

Label = Literal["food", "non_food", "unsure"]
"""What a model calls a photo."""

EngineName = Literal["auto", "tensorflow", "openvino", "scripted"]
"""The engines by the names that settings and flags use; `auto` is whatever runs a bundle fastest."""

Precision = Literal["auto", "float32"]
"""What an engine computes in: `auto` is int8 where the bundle has it, else what the engine finds fastest."""
