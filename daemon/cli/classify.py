"""`foodsort classify`: labels photos and moves nothing."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from daemon.cli import paths as path_arguments
from models import EngineName


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

    from daemon.cli.output import prepare
    from daemon.decoders.pool import DecoderPool
    from daemon.pipeline.offline import classify as run
    from daemon.settings import ImageSettings
    from models.bundle import Bundle
    from models.engines import open_engine

    prepare("table" if format == "text" else "json", live=False)
    bundle, images = Bundle.load(model), ImageSettings()
    failed = 0
    with DecoderPool(bundle.card.fit, images.max_pixels, images.timeout_s) as decoders:
        for said in run(path_arguments.files(paths), bundle, open_engine(engine, bundle, 8), decoders):
            failed += "error" in said
            if format == "json":
                typer.echo(json.dumps(said, ensure_ascii=False))
            elif "error" not in said:
                typer.echo(f"{said['label']:8}  {said['probability']:.3f}  {said['path']}")
            if "error" in said:
                typer.echo(f"foodsort: {said['path']}: {said['error']}: {said['message']}", err=True)
    if failed:
        raise typer.Exit(1)
