"""The machine that a benchmark runs on: CPU, cores, load, versions of the libraries."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import NamedTuple

from benchmarks.engines import processor

FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")
LIBRARIES = ("foodsort", "tensorflow", "keras", "openvino", "onnxruntime", "numpy", "pillow")


class Machine(NamedTuple):
    """A machine.

    Attributes:
        processor: Name of the CPU.
        flags: Its instruction sets that speed a network up.
        cores: Cores that this process may use.
        versions: Versions by library.
    """

    processor: str
    flags: tuple[str, ...]
    cores: int
    versions: dict[str, str]

    def describe(self) -> str:
        """Returns the CPU, its cores and the current load."""
        return f"{self.processor}, {self.cores} cores, load {os.getloadavg()[0]:.1f}"


def machine() -> Machine:
    """Returns this machine."""
    cpu_flags = set(Path("/proc/cpuinfo").read_text().split())
    installed = {
        package.name.lower(): package.version for package in importlib.metadata.distributions() if package.name
    }
    versions = {name: installed[name] for name in LIBRARIES if name in installed}
    return Machine(
        processor=processor(),
        flags=tuple(flag for flag in FLAGS if flag in cpu_flags),
        cores=len(os.sched_getaffinity(0)),
        versions={"python": platform.python_version()} | versions,
    )
