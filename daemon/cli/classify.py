"""`foodsort classify`: labels photos without moving them."""

from typing import Annotated

import typer

from daemon.cli.options import Format, ModelBundle
from daemon.cli.paths import files
from models import EngineName


def classify(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Photos or folders of photos; - reads one a line from stdin."),
    ],
    format: Format = "text",  # noqa: A002
    model: ModelBundle = None,
    engine: Annotated[EngineName, typer.Option(help="Engine that runs the model.")] = "auto",
) -> None:
    """Label photos without moving or recording them.

    Example: foodsort classify holiday/ --format json
    """
    import json

    from daemon.cli.output import prepare
    from daemon.decoders.pool import DecoderPool
    from daemon.pipeline.offline import classify as classify_files
    from daemon.settings import ImageSettings
    from models.bundle import Bundle
    from models.engines import open_engine

    prepare("table" if format == "text" else "json", live=False)
    bundle = Bundle.load(model)
    images = ImageSettings()
    failed = False
    with DecoderPool(bundle.card.fit, images.max_pixels, images.timeout_s) as decoders:
        for answer in classify_files(files(paths), bundle, open_engine(engine, bundle, 8), decoders):
            if format == "json":
                typer.echo(json.dumps(answer, ensure_ascii=False))
            if "error" in answer:
                typer.echo(f"foodsort: {answer['path']}: {answer['error']}: {answer['message']}", err=True)
                failed = True
            elif format != "json":
                typer.echo(f"{answer['label']:8}  {answer['probability']:.3f}  {answer['path']}")
    if failed:
        raise typer.Exit(1)
