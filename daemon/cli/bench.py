"""`foodsort bench`: measures batch sizes."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import Format, ModelBundle
from models import EngineName, Precision


def bench(
    engine: Annotated[EngineName, typer.Option(help="Engine that runs the model.")] = "auto",
    model: ModelBundle = None,
    precision: Annotated[Precision, typer.Option(help="Precision of the computation.")] = "auto",
    photos: Annotated[Path | None, typer.Option(help="Folder of photos to classify (default: random noise).")] = None,
    max_size: Annotated[int, typer.Option(min=1, max=1024, help="Largest batch size to measure.")] = 64,
    format: Format = "text",  # noqa: A002
) -> None:
    """Measure how fast this machine runs the model at each batch size, and recommend a batch.max_size.

    Example: foodsort bench --engine tensorflow
    """
    import json

    from daemon.pipeline.benchmark import load_pixels, measure, recommend
    from models.bundle import Bundle
    from models.engines import open_engine

    bundle = Bundle.load(model)
    pixels = load_pixels(photos, bundle.card.fit)
    opened = open_engine(engine, bundle, max_size, precision)
    sizes = measure(opened, bundle.card.cascade, pixels, max_size)
    if format == "json":
        document = {
            "engine": opened.name,
            "model": bundle.model_name,
            "streams": opened.streams,
            "sizes": [size._asdict() for size in sizes],
            "recommended_max_size": recommend(sizes),
        }
        typer.echo(json.dumps(document))
        return
    typer.echo(f"{opened.name}, {opened.streams} batches at a time\n\nbatch  photos/s  ms a batch")
    for size in sizes:
        typer.echo(f"{size.batch:5}  {size.photos_s:8.1f}  {size.batch_ms:10.1f}")
    typer.echo(f"\nrecommended: batch.max_size = {recommend(sizes)}")
