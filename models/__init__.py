"""What a trained model is: the picture it sees, the network, the bundle on disk and the engines that run it."""

import os
from typing import Literal

__version__ = "0.1.0"

EngineName = Literal["auto", "tensorflow", "openvino", "scripted"]
"""The engines by the names that settings and flags use; `auto` is whatever runs a bundle fastest."""

# TensorFlow's start-up notes (no CUDA, which CPU flags) are not for the people who read our output; errors still come.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
