"""One training from labelled photos to a finished bundle, read from top to bottom."""

import dataclasses
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from models import resnet50
from models.bundle import NETWORK, Bundle, Card, save_network
from models.decision import probability
from models.engines import open_engine
from models.engines.tensorflow import load_tensorflow
from models.errors import FoodsortError
from models.pretrained import imagenet_weights
from training import calibrate, dataset, facts, findings, report, suspects
from training.audit import audit
from training.evaluate import write_report
from training.export import export_int8
from training.features import extract, frozen, pictures
from training.fit import fit_head
from training.judged import judge
from training.metrics import metrics
from training.recipe import Recipe

LIBRARIES = ("foodsort", "tensorflow", "keras", "numpy", "pillow", "pillow-heif", "scikit-learn")


def train(
    data: Path, out: Path, weights: Path | None, recipe: Recipe, console: Console, *, drop: Path | None = None
) -> Bundle:
    """Trains on the data set in `data` and writes a bundle with its report to the new folder `out`.

    weights: a file with the ImageNet weights; fetched and cached when None. drop: a table of training photos to leave
    out (see `suspects.drop`). Training photos that are in another split too are left out as well.
    Raises FoodsortError when `out` is taken, the data set is not one, or the weights cannot be had.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FoodsortError(f"{out} is there already; name a new folder with --out")
    frame = dataset.read(data)
    if drop is not None:
        frame = suspects.drop(frame, drop, data)
    with Progress(console=console) as progress:
        audited = audit(facts.gather(frame, progress), recipe.seed)
    for line in findings.lines(audited):
        console.print(line, markup=False, highlight=False)
    frame = audited.frame
    dataset.check(frame, data)
    load_tensorflow()
    fitting, choosing, judging = (frame[frame["split"] == split].reset_index(drop=True) for split in dataset.SPLITS)
    network = resnet50.build(recipe.fit.side)
    resnet50.load_imagenet(network, imagenet_weights(weights))

    with Progress(console=console) as progress:
        backbone = frozen(network, recipe.fit.side)
        fitted_on = extract(backbone, fitting, recipe, progress, mirror=recipe.mirror)
        chosen_on = extract(backbone, choosing, recipe, progress)
    head = fit_head(fitted_on, chosen_on, recipe)
    network.get_layer(resnet50.LOGIT).set_weights([head.kernel, head.bias])

    logits = (chosen_on.values @ head.kernel + head.bias)[:, 0]
    temperature = calibrate.fit_temperature(logits, chosen_on.labels)
    p_food = probability(logits, temperature)
    thresholds = calibrate.choose_thresholds(p_food, chosen_on.labels, recipe.unsure_error)
    card = Card(
        name="foodsort-resnet50",
        created_at=datetime.now(UTC),
        fit=recipe.fit,
        temperature=temperature,
        thresholds=thresholds,
        recipe=dataclasses.asdict(recipe),
        metrics={"validation": metrics(p_food, chosen_on.labels, thresholds.food)},
        data_sha256=dataset.digest(frame),
        libraries={name: version(name) for name in LIBRARIES},
        files={NETWORK: ""},
    )

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as partial:
        folder = Path(partial) / "bundle"
        folder.mkdir()
        save_network(network, folder / NETWORK)
        seen_in_training = pictures(list(fitting["path"].sample(frac=1, random_state=recipe.seed)), recipe.fit, [])
        names = export_int8(network, (pixels for _, pixels in seen_in_training), folder)
        card = card.model_copy(update={"files": dict.fromkeys((NETWORK, *names), "")})
        # Judged once, and as it will run: read back from the disk, by an engine.
        bundle = Bundle.write(folder, card)
        engine = open_engine("tensorflow", bundle, recipe.batch)
        with Progress(console=console) as progress:
            judged = judge(bundle, engine, judging, progress)
        figures = write_report(
            folder,
            "evaluation",
            judged,
            engine,
            dataset.root(data),
            console,
            audit=audited,
            history=head.history,
        )
        unreadable = fitted_on.unreadable + chosen_on.unreadable + judged.unreadable
        report.write_unreadable(folder, unreadable)
        findings.write(folder, audited)
        for one in unreadable:
            console.print(f"left out: {one.path}: {one.message}", markup=False)
        head.history.to_csv(folder / "history.csv", index_label="epoch")
        Bundle.write(folder, card.model_copy(update={"metrics": card.metrics | {"evaluation": figures}}))
        if out.exists():
            out.rmdir()  # empty, as checked above
        folder.rename(out)
    return Bundle.load(out)
