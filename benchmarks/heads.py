"""`python -m benchmarks.heads`: time and memory of fitting a head to many photos, with random features."""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from training.fitting import kernel_machine
from training.fitting.recipe import Recipe

SIZES = (3_000, 10_000, 20_000, 50_000)
_CLUSTERS = 60


def main() -> None:
    """Prints the table; each size is measured in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heads", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of pictures (default: %(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sys.stdout.write(" ".join(map(str, measure(arguments.sizes[0]))))
        return
    table = Table("pictures", "method", "centres", "fit, s", "peak memory, MiB")
    for size in arguments.sizes:
        command = [sys.executable, "-m", "benchmarks.heads", str(size), "--one"]
        method, centres, seconds, memory = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.split()
        table.add_row(f"{size:,}", method, f"{int(centres):,}", seconds, memory)
    output = Console(highlight=False, soft_wrap=True)
    output.print(machine().describe())
    output.print(table)


def measure(size: int) -> tuple[str, int, str, int]:
    """Fits a head to random features of some overlapping kinds of photos.

    Args:
        size: Number of pictures.

    Returns:
        Method, number of centres, duration of the fit (s), peak memory of the process (MiB).
    """
    recipe = Recipe()
    random = np.random.default_rng(size)
    kinds = random.gamma(0.3, 1.0, (_CLUSTERS, 2048)).astype(np.float32)
    of_kind = random.integers(0, _CLUSTERS, size)
    features = kinds[of_kind] * random.gamma(2.0, 0.5, (size, 2048)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    labels = ((of_kind % 2 == 0) ^ (random.random(size) < 0.03)).astype(np.int64)
    evidence = np.where(labels == 1, 4.0, -4.0) + random.normal(0, 4, size)
    compared = np.concatenate([features, evidence[:, None]], axis=1, dtype=np.float32)
    begun = time.perf_counter()
    head = kernel_machine.fit(compared, labels, recipe, kernel_machine.principal_components(compared, recipe))
    seconds = time.perf_counter() - begun
    method = "exact" if size <= recipe.exact_limit else "Nyström"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return method, len(head.centres), f"{seconds:.1f}", memory


if __name__ == "__main__":
    main()
