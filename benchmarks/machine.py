"""What a figure depends on beside the code: the CPU, its cores and flags, the versions of the libraries."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import NamedTuple

from benchmarks.engines import processor

FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")
LIBRARIES = ("foodsort", "tensorflow", "keras", "openvino", "onnxruntime", "numpy", "pillow")


class Machine(NamedTuple):
    """The CPU's name, those of its flags that speed a network up, cores that may be used, versions by library."""

    processor: str
    flags: tuple[str, ...]
    cores: int
    versions: dict[str, str]


def machine() -> Machine:
    """This one."""
    words = set(Path("/proc/cpuinfo").read_text().split())
    installed = {one.name.lower(): one.version for one in importlib.metadata.distributions() if one.name}
    versions = {name: installed[name] for name in LIBRARIES if name in installed}
    cores = len(os.sched_getaffinity(0))
    flags = tuple(flag for flag in FLAGS if flag in words)
    return Machine(processor(), flags, cores, {"python": platform.python_version()} | versions)
