"""The commands that make and evaluate models: `foodsort train`, `foodsort evaluate`, `foodsort suspects`."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from models import EngineName
from models.cli import CommandLine
from models.plurals import plural

app = CommandLine(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Train and evaluate models."
)


_DATA_HELP = (
    "Data set: a folder with training/, validation/ and evaluation/, each with photos named {label}_{id}.jpg "
    "(1 = food) or with the folders food/ and non_food/; a folder with only food/ and non_food/, for training; or a "
    ".csv or .tsv file with the columns path and label, and optionally split and source. Repeat the option to use "
    "several as one."
)
_ANY_LAYOUT_HELP = "Data set, in any layout that `foodsort train` accepts."


@app.command()
def train(
    data: Annotated[list[Path], typer.Option(help=_DATA_HELP)],
    out: Annotated[Path, typer.Option(help="New folder for the bundle and its report.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="File with the ImageNet weights, .h5 or npm tarball (default: downloaded and cached)."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=0, help="Maximum epochs of fine-tuning, which trains the last stage of the backbone (default: 0)."
        ),
    ] = None,
    head_only: Annotated[bool, typer.Option("--head-only", help="Skip fine-tuning, like --epochs 0.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 1,
    drop: Annotated[
        Path | None, typer.Option(help="Table of training photos to leave out, as written by `foodsort suspects`.")
    ] = None,
    on: Annotated[
        Path | None,
        typer.Option(
            help="Bundle to learn on: its heads are fitted again to its own photos and yours together, in seconds and "
            "without TensorFlow, and the result is judged. Photos of the split evaluation are only judged."
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="With --on: bundle to judge the result against (default: that of --on).")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="With --on: file that caches the features of photos (default: none).")
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="With --on: write a report without photos.")
    ] = False,
) -> None:
    """Train a model and write its bundle with a report: audit the data, fit, calibrate, evaluate.

    With --on, a bundle learns from your labels: foodsort train --on mine --data labels --out better

    Example: foodsort train --data Food-5K --data more --out mine
    """
    from rich.console import Console

    if on is not None:
        if epochs is not None or head_only or weights is not None or drop is not None:
            raise typer.BadParameter(
                "--on fits the heads alone; it takes no --weights, --epochs, --head-only or --drop"
            )
        _learn(data, out, on, against, features, pictures=not no_pictures)
        return
    if against is not None or features is not None or no_pictures:
        raise typer.BadParameter("--against, --features and --no-pictures need --on")
    from training.fitting.recipe import Recipe
    from training.train import train as run

    recipe = Recipe(seed=seed)
    if head_only:
        epochs = 0
    if epochs is not None:
        recipe = dataclasses.replace(recipe, finetune_epochs=epochs)
    bundle = run(data, out, weights=weights, recipe=recipe, console=Console(stderr=True), drop=drop)
    typer.echo((out / "classification_report.txt").read_text())
    typer.echo(_summary("evaluation", bundle.card.metrics["evaluation"]))
    typer.echo(f"{bundle.model_name} is in {out}; use it with FOODSORT_MODEL__BUNDLE={out.resolve()}")


def _learn(
    data: list[Path], out: Path, on: Path, against: Path | None, features: Path | None, *, pictures: bool
) -> None:
    from rich.console import Console

    from training.learn import learn
    from training.report import judgement_text

    judgement = learn(
        data, out, on=on, against=against, features=features, console=Console(stderr=True), pictures=pictures
    )
    for line in judgement_text.lines(judgement):
        typer.echo(line)
    # On stderr: a program that reads the judgement may give the folder another name.
    report = out / "report.html"
    typer.echo(f"the report is {report}; use the model with FOODSORT_MODEL__BUNDLE={out.resolve()}", err=True)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help=_ANY_LAYOUT_HELP)],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    model: Annotated[Path | None, typer.Option(help="Model bundle (default: the one shipped with foodsort).")] = None,
    split: Annotated[
        Literal["training", "validation", "evaluation"], typer.Option(help="Split of the data set.")
    ] = "evaluation",
    engine: Annotated[EngineName, typer.Option(help="Engine that runs the model.")] = "auto",
    against: Annotated[
        Path | None, typer.Option(help="Second bundle to compare with on the same photos (McNemar's test).")
    ] = None,
    brief: Annotated[bool, typer.Option(help="Write only metrics.json.")] = False,
) -> None:
    """Evaluate a model on one split of a data set and write the report.

    Example: foodsort evaluate --data Food-5K --out report
    """
    from rich.console import Console

    from training.report.evaluate import evaluate as run

    metrics = run(
        data,
        out,
        model=model,
        split=split,
        engine_name=engine,
        console=Console(stderr=True),
        brief=brief,
        against=against,
    )
    typer.echo(_summary(split, metrics))
    if not brief:
        typer.echo(f"the report is in {out / 'report.html'}")


@app.command()
def suspects(
    data: Annotated[Path, typer.Option(help=_ANY_LAYOUT_HELP)],
    out: Annotated[Path, typer.Option(help="Folder for suspects.csv and its contact sheet.")],
    model: Annotated[
        Path | None,
        typer.Option(help="Bundle whose backbone computes the features (default: the one shipped with foodsort)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the cross-validation folds.")] = 1,
) -> None:
    """List training photos whose label is probably wrong, for a person to review.

    Example: foodsort suspects --data Food-5K --out suspects
    """
    from rich.console import Console

    from training.data import label_issues

    issues = label_issues.search(data, out, model=model, seed=seed, console=Console(stderr=True))
    table = out / label_issues.TABLE
    typer.echo(f"{len(issues)} {plural(len(issues), 'suspect')} in {table}")
    if len(issues):
        typer.echo(
            f"Look at {out / label_issues.SHEET} and delete the lines of photos whose label is right from the table. "
            f"Then leave the others out with: foodsort train --drop {table}"
        )


def _summary(split: str, metrics: Mapping[str, Any]) -> str:
    low, high = metrics["accuracy_ci95"]
    accuracy = f"accuracy {metrics['accuracy']:.2%} on {metrics['n']} {plural(metrics['n'], 'photo')}"
    return f"{split}: {accuracy}, 95 % interval {low:.2%} to {high:.2%}"
