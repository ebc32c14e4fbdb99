"""The command `foodsort`: the daemon's commands, and those that other rooms add under `foodsort.commands`."""

import shlex
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Literal

import typer

from daemon.ownership import check

check()

from daemon import named
from daemon.commands import back, labels, results, review
from daemon.options import Root, folder
from models import EngineName, Precision, __version__
from models.cli import Commands
from models.errors import FoodsortError
from models.filenames import shown

app = Commands(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sorts photos dropped into a folder into food/ and non_food/, each with a row in a database.",
)
app.add_typer(results.app)
app.add_typer(back.app)
app.add_typer(labels.app)
app.add_typer(review.app)
for _room in entry_points(group="foodsort.commands"):
    app.add_typer(_room.load())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"foodsort {__version__}")
        raise typer.Exit


@app.callback()
def foodsort(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sorts photos dropped into a folder into food/ and non_food/, each with a row in a database."""


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(parser=folder, metavar="DIR", help="Folder to make or to complete.")],
) -> None:
    """Make a root: its folders and a foodsort.toml in which every setting is explained.

    Example: foodsort init photos
    """
    from daemon.settings import FILE, Settings, template

    for name in ("inbox", "food", "non_food", "failed"):
        (directory / getattr(Settings.model_fields["folders"].default, name)).mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    if path.exists():
        typer.echo(f"{shown(str(path))} is there already and stays as it is")
    else:
        path.write_text(template(), encoding="utf-8")
        name = shown(str(directory))
        typer.echo(f"{name} is ready; start with: foodsort run --root {shlex.quote(name)}")


@app.command()
def run(
    root: Root,
    once: Annotated[bool, typer.Option("--once", help="Sort what is there, then end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen to what is there, and touch nothing.")
    ] = False,
) -> None:
    """Sort photos as they come, until stopped.

    Example: foodsort run --root photos
    """
    from rich.console import Console

    from daemon.database import connections
    from daemon.monitoring.log import configure
    from daemon.monitoring.progress import Progress, summary
    from daemon.service.lifecycle import Service
    from daemon.settings import load

    settings = load(root)
    console = Console(stderr=True)
    configure(terminal=console.is_terminal and not dry_run, form=settings.log.format)
    with connections.told(), Progress(console) as progress:
        service = Service(root, settings, progress, once=once, dry_run=dry_run)
        service.run()
    done = "would be sorted" if dry_run else "sorted"
    total = service.counts.total()
    typer.echo(
        f"{total} photo{'' if total == 1 else 's'} {done}: {summary(service.counts)}; {service.left} had to stay in the inbox"
    )
    if once and service.left:
        raise typer.Exit(1)


@app.command()
def classify(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Photos, or folders of photos; - reads them from stdin, one a line."),
    ],
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",  # noqa: A002
    model: Annotated[Path | None, typer.Option(help="Bundle; the one that comes with foodsort when not given.")] = None,
    engine: Annotated[EngineName, typer.Option(help="What runs the model.")] = "auto",
) -> None:
    """Say what photos show, and move nothing.

    Example: foodsort classify holiday/ --format json
    """
    import json

    from daemon.decoders.pool import Decoders
    from daemon.pipeline.offline import classify as run
    from daemon.printed import prepare
    from daemon.settings import Images
    from models.bundle import Bundle
    from models.engines import open_engine

    prepare("table" if format == "text" else "json", live=False)
    bundle, images = Bundle.load(model), Images()
    failed = 0
    with Decoders(bundle.card.fit, images.max_pixels, images.timeout_s) as decoders:
        for said in run(named.files(paths), bundle, open_engine(engine, bundle, 8), decoders):
            failed += "error" in said
            if format == "json":
                typer.echo(json.dumps(said, ensure_ascii=False))
            elif "error" not in said:
                typer.echo(f"{said['label']:8}  {said['probability']:.3f}  {said['path']}")
            if "error" in said:
                typer.echo(f"foodsort: {said['path']}: {said['error']}: {said['message']}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def bench(
    engine: Annotated[EngineName, typer.Option(help="What runs the model.")] = "auto",
    model: Annotated[Path | None, typer.Option(help="Bundle; the one that comes with foodsort when not given.")] = None,
    precision: Annotated[Precision, typer.Option(help="What it computes in.")] = "auto",
    photos: Annotated[Path | None, typer.Option(help="Folder of photos to run; noise when not given.")] = None,
    max_size: Annotated[int, typer.Option(min=1, max=1024, help="Largest batch to try.")] = 64,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",  # noqa: A002
) -> None:
    """Measure how fast this machine runs the model in batches of each size, and say which batch.max_size to set.

    Example: foodsort bench --engine tensorflow
    """
    import json

    from daemon.pipeline.benchmark import measure, pictures, recommended
    from models.bundle import Bundle
    from models.engines import open_engine

    bundle = Bundle.load(model)
    pixels = pictures(photos, bundle.card.fit)
    network = open_engine(engine, bundle, max_size, precision)
    sizes = measure(network, pixels, max_size)
    if format == "json":
        said = {"engine": network.name, "model": bundle.model_name, "streams": network.streams}
        sized = [size._asdict() for size in sizes]
        typer.echo(json.dumps(said | {"sizes": sized, "recommended_max_size": recommended(sizes)}))
        return
    typer.echo(f"{network.name}, {network.streams} batches at a time\n\nbatch  photos/s  ms a batch")
    for size in sizes:
        typer.echo(f"{size.batch:5}  {size.photos_s:8.1f}  {size.batch_ms:10.1f}")
    typer.echo(f"\nrecommended: batch.max_size = {recommended(sizes)}")


@app.command()
def status(
    root: Root,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",  # noqa: A002
) -> None:
    """Say whether the daemon lives, what it is at, and what went wrong lately; exit code 1 when it does not.

    Example: foodsort status --root photos
    """
    import json

    from daemon.monitoring.status_file import read
    from daemon.monitoring.status_text import lines
    from daemon.printed import prepare
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    state = read(root, root / load(root).folders.inbox)
    typer.echo(json.dumps(state, ensure_ascii=False) if format == "json" else "\n".join(lines(state)))
    if not state["alive"]:
        name = shown(str(root))
        start = f"foodsort run --root {shlex.quote(name)}"
        typer.echo(f"foodsort: no daemon runs on {name}; start one with: {start}", err=True)
        raise typer.Exit(1)


@app.command()
def doctor(
    root: Root,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes more than a moment.")] = False,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",  # noqa: A002
) -> None:
    """Check what the daemon needs, and say how to mend what it lacks; exit code 1 when there is a problem.

    Example: foodsort doctor --root photos
    """
    import json

    from daemon.doctor import as_json, examine
    from daemon.printed import prepare
    from daemon.settings import load

    prepare("table" if format == "text" else "json", live=False)
    if not root.is_dir():
        raise FoodsortError(f"{root} is no folder; `foodsort init {root}` makes one")
    findings = []
    for finding in examine(root, load(root), quick=quick):
        findings.append(finding)
        if format == "text":
            typer.echo(f"{finding.level:8} {finding.check:22} {finding.message}")
    if format == "json":
        typer.echo(json.dumps([as_json(finding) for finding in findings], ensure_ascii=False, indent=2))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
