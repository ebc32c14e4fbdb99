"""`foodsort bench`: measures batch sizes."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models import EngineName, Precision


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
