"""`make demo`: starts a daemon on a new root, drops photos into its inbox one by one, and prints each result."""

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
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from daemon.database import addresses, connections
from daemon.monitoring import status_file
from daemon.queries import results
from daemon.queries.filters import Filters
from daemon.queries.results import ResultRow
from models.errors import FoodsortError

MAX_PHOTOS = 40
"""Of a larger folder, every n-th photo is sorted."""

_LOCAL_PHOTOS = Path("../shared/data/bench/web")
_SAMPLES = (("skimage", "data"), ("sklearn", "datasets/images"))
_SAMPLE_NAMES = {"astronaut", "cat", "chelsea", "china", "coffee", "flower", "horse", "motorcycle_left", "rocket"}
_EXTENSIONS = {".avif", ".heic", ".jpeg", ".jpg", ".png", ".webp"}
_FOODSORT = [sys.executable, "-m", "daemon"]
_TIMEOUT_S = 120.0
_POLL_S = 0.02


def main() -> None:
    """Runs the demo; exits with code 1 and a message if there are no photos, or the daemon ends or hangs."""
    parser = argparse.ArgumentParser(prog="python -m daemon.demo", description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder of photos; copies of them are sorted")
    arguments = parser.parse_args()
    root = Path(".demo", f"{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}")
    console = Console(highlight=False, soft_wrap=True)
    try:
        photos = choose(arguments.photos)
        with _daemon(root, console) as daemon:
            _sort(photos, root, daemon, console)
    except FoodsortError as error:
        sys.exit(f"demo: {error}")
    _show(root, console)


def choose(folder: Path | None) -> list[Path]:
    """Chooses the photos to sort: from the folder, else from the workplace's test photos, else from packages' samples.

    Raises:
        FoodsortError: There are no photos.
    """
    if folder is not None and not folder.is_dir():
        raise FoodsortError(f"{folder} is not a folder; name a folder of photos")
    source = folder or _LOCAL_PHOTOS
    photos = sorted(path for path in source.rglob("*") if path.suffix.lower() in _EXTENSIONS)
    if folder is None and not photos:
        photos = [path for path in samples() if path.stem in _SAMPLE_NAMES]
    if not photos:
        raise FoodsortError(f"{source} has no {', '.join(sorted(_EXTENSIONS))}; name another folder with PHOTOS=")
    return photos[:: -(-len(photos) // MAX_PHOTOS)]


def samples() -> list[Path]:
    """The sample images of scikit-image and scikit-learn, if these are installed."""
    specs = [(importlib.util.find_spec(package), folder) for package, folder in _SAMPLES]
    return [
        path
        for spec, folder in specs
        if spec and spec.origin
        for path in sorted(Path(spec.origin).parent.joinpath(folder).iterdir())
    ]


@contextmanager
def _daemon(root: Path, console: Console) -> Iterator["subprocess.Popen[bytes]"]:
    subprocess.run([*_FOODSORT, "init", str(root)], check=True, stdout=subprocess.DEVNULL)
    console.print(f"[bold]foodsort run --root {root}[/]  (loading the model …)")
    log = root / "daemon.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen([*_FOODSORT, "run", "--root", str(root)], stdout=output, stderr=output)
    try:
        _wait_until(partial(_is_watching, root), daemon, log)
        yield daemon
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def _is_watching(root: Path) -> bool:
    return status_file.read(root, root / "inbox")["state"] == "watching"


def _sort(photos: list[Path], root: Path, daemon: "subprocess.Popen[bytes]", console: Console) -> None:
    start = time.monotonic()
    for number, photo in enumerate(photos, 1):
        # Copied outside the inbox, then renamed: a complete file needs no settling time.
        copy = root / f"copy-{number}"
        shutil.copyfile(photo, copy)
        dropped = time.monotonic()
        copy.rename(root / "inbox" / photo.name)

        _wait_until(partial(_has_rows, root, number), daemon, root / "daemon.log")
        row = _rows(root)[0]
        colour = {"food": "green", "non_food": "cyan"}.get(row["label"] or "", "red")
        outcome = f"P(food) {row['probability']:.3f}" if row["label"] else row["error_message"] or ""
        duration = f"{time.monotonic() - dropped:.2f} s"
        console.print(
            f"  inbox/{escape(photo.name):20} → [{colour}]{escape(row['path']):30}[/] {escape(outcome)}  {duration}"
        )
    console.print(f"{len(photos)} photos in {time.monotonic() - start:.1f} s")


def _has_rows(root: Path, number: int) -> bool:
    return len(_rows(root)) >= number


def _rows(root: Path) -> list[ResultRow]:
    if not (root / addresses.FILE).exists():
        return []
    engine = connections.connect_to_read(addresses.database_url(root, ""))
    try:
        return [row for row in results.rows(engine, Filters()) if row["state"] != "filing"]
    finally:
        engine.dispose()


def _wait_until(done: Callable[[], bool], daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _TIMEOUT_S
    while not done():
        if daemon.poll() is not None or time.monotonic() > end:
            raise FoodsortError(
                f"the daemon has ended or hangs; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}"
            )
        time.sleep(_POLL_S)


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
