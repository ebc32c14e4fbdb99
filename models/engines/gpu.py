"""Detects a GPU without importing the libraries that would use it."""

from pathlib import Path


def gpu_present(device_folder: Path = Path("/dev")) -> bool:
    """Whether a GPU's device node exists (NVIDIA, or AMD's /dev/kfd). Asking TensorFlow would cost its import."""
    return any(device_folder.glob("nvidia[0-9]*")) or (device_folder / "kfd").exists()
