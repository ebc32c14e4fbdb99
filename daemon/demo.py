"""`make demo`: a daemon on a new root, photos dropped in one after another, and what became of each."""

import argparse
import importlib.util
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from daemon.database import addresses, connections
from daemon.queries import results
from models.errors import FoodsortError

MOST = 40
"""Photos that are shown; from a larger folder they are taken at even distances."""

_BESIDE = Path("../shared/data/bench/web")
_SAMPLES = (("skimage", "data"), ("sklearn", "datasets/images"))
_SAMPLE_NAMES = {"astronaut", "cat", "chelsea", "china", "coffee", "flower", "horse", "motorcycle_left", "rocket"}
_PICTURES = {".avif", ".heic", ".jpeg", ".jpg", ".png", ".webp"}
_FOODSORT = [sys.executable, "-m", "daemon"]
_PATIENCE_S = 120.0


def main() -> None:
    """Runs the demo; exits 1 with a message when there are no photos, or the daemon ends or hangs."""
    parser = argparse.ArgumentParser(prog="python -m daemon.demo", description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder of photos; copies of them are sorted")
    given = parser.parse_args()
    root = Path(".demo", f"{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}")
    console = Console(highlight=False, soft_wrap=True)
    try:
        photos = choose(given.photos)
        with _daemon(root, console) as daemon:
            _sort(photos, root, daemon, console)
    except FoodsortError as error:
        sys.exit(f"demo: {error}")
    _show(root, console)


def choose(given: Path | None) -> list[Path]:
    """The photos to show: the ones given, else those beside the project, else the sample photographs of packages.

    Raises FoodsortError when there are none.
    """
    if given is not None and not given.is_dir():
        raise FoodsortError(f"{given} is no folder; name one that holds photos")
    folder = given or _BESIDE
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    if given is None and not photos:
        photos = [path for path in samples() if path.stem in _SAMPLE_NAMES]
    if not photos:
        raise FoodsortError(f"{folder} holds no {', '.join(sorted(_PICTURES))}; name another folder with PHOTOS=")
    return photos[:: -(-len(photos) // MOST)]


def samples() -> list[Path]:
    """The pictures that scikit-image and scikit-learn bring as samples, those that are installed."""
    packages = [(importlib.util.find_spec(package), below) for package, below in _SAMPLES]
    return [
        path
        for spec, below in packages
        if spec and spec.origin
        for path in sorted(Path(spec.origin).parent.joinpath(below).iterdir())
    ]


@contextmanager
def _daemon(root: Path, console: Console) -> Iterator["subprocess.Popen[bytes]"]:
    subprocess.run([*_FOODSORT, "init", str(root)], check=True, stdout=subprocess.DEVNULL)
    console.print(f"[bold]foodsort run --root {root}[/]  (loading the model …)")
    log = root / "daemon.log"
    with log.open("wb") as lines:
        daemon = subprocess.Popen([*_FOODSORT, "run", "--root", str(root)], stdout=lines, stderr=lines)
    try:
        _until(lambda: b"event=watching" in log.read_bytes(), daemon, log)
        yield daemon
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def _sort(photos: list[Path], root: Path, daemon: "subprocess.Popen[bytes]", console: Console) -> None:
    begun = time.monotonic()
    rows: list[dict[str, Any]] = []
    for number, photo in enumerate(photos, 1):
        # Copied beside the inbox and renamed in: whole when it comes, so it need not stand still first.
        copy = root / f"copy-{number}"
        shutil.copyfile(photo, copy)
        dropped = time.monotonic()
        copy.rename(root / "inbox" / photo.name)

        def filed(number: int = number) -> bool:
            rows[:] = _rows(root)
            return len(rows) >= number

        _until(filed, daemon, root / "daemon.log")
        row = rows[0]
        colour = {"food": "green", "non_food": "cyan"}.get(row["label"], "red")
        said = f"P(food) {row['probability']:.3f}" if row["label"] else row["error_message"]
        took = f"{time.monotonic() - dropped:.2f} s"
        console.print(f"  inbox/{escape(photo.name):20} → [{colour}]{escape(row['path']):30}[/] {escape(said)}  {took}")
    console.print(f"{len(photos)} photos in {time.monotonic() - begun:.1f} s")


def _rows(root: Path) -> list[dict[str, Any]]:
    if not (root / addresses.FILE).exists():
        return []
    engine = connections.reading(addresses.url(root, ""))
    try:
        return [row for row in results.rows(engine, results.Filters()) if row["state"] != "filing"]
    finally:
        engine.dispose()


def _until(done: Callable[[], bool], daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not done():
        if daemon.poll() is not None or time.monotonic() > end:
            raise FoodsortError(
                f"the daemon has ended or hangs; {log} says:\n{log.read_text(errors='replace')[-2000:]}"
            )
        time.sleep(0.02)


def _show(root: Path, console: Console) -> None:
    console.print(f"\n[bold]ls {root}/*[/]")
    for folder in ("food", "non_food", "failed"):
        names = sorted(path.name for path in (root / folder).iterdir())
        first = escape(", ".join(names[:8]))
        console.print(f"  {folder}/: {len(names)} photos: {first}{', …' if len(names) > 8 else ''}")
    console.print(f"\n[bold]foodsort results --root {root} --limit 8[/]")
    subprocess.run([*_FOODSORT, "results", "--root", str(root), "--limit", "8"], check=True)
    foodsort = Path(sys.executable).with_name("foodsort")
    foodsort = foodsort.relative_to(Path.cwd()) if foodsort.is_relative_to(Path.cwd()) else foodsort
    console.print("\n[bold]With your own photos[/]")
    console.print(f"  {foodsort} run --root {root}        # leave it running")
    console.print(f"  cp your-photos/*.jpg {root}/inbox/     # in another terminal")
    console.print(f"  {foodsort} results --root {root}")


if __name__ == "__main__":
    main()
