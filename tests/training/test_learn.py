import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from models.bundle import HEADS, INT8, Bundle, folder_name
from models.cascade import look
from models.decision import probability
from models.engines import open_engine
from models.images.decode import decode
from models.judgement import Judgement, load_judgement
from training.cli import app
from training.learning import groups

pytestmark = pytest.mark.slow

OWN, AUDIT = 24, 6


class Learned(NamedTuple):
    """The inputs and the result of one run of `foodsort train --on`."""

    data: Path
    models: Path
    result: Result

    @property
    def out(self) -> Path:
        return self.models / "mine"

    @property
    def judgement(self) -> Judgement:
        return load_judgement(self.out)


def picture(colour: int, number: int) -> bytes:
    """Coarse patches, reddish or bluish, unlike those of other numbers."""
    random = np.random.default_rng(number)
    patches = random.integers(0, 256, [*random.integers(2, 7, 2).tolist(), 3], dtype=np.uint8) // 2
    patches[..., 0 if colour else 2] += 120
    resample = random.choice([Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
    file = io.BytesIO()
    Image.fromarray(patches).resize((320, 240), resample).save(file, "JPEG", quality=90)
    return file.getvalue()


def write(folder: Path, labels: dict[int, int], *, audit: int = 0, first: int = 0) -> Path:
    """Reddish and bluish photos: `labels` gives the label of each colour. The last `audit` are the audit sample."""
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "source", "id", "sha256", "predicted_label", "taken_at", "asked"])
        count = (OWN + audit) if audit else OWN
        for number in range(count):
            colour = list(labels)[number % len(labels)]
            name = f"{number}.jpg"
            (folder / name).write_bytes(picture(colour, first + number))
            split = "evaluation" if number >= OWN else "training"
            table.writerow([name, labels[colour], split, "person", number, "", "food", "", 2])
    return folder


def arguments(data: Path, out: Path, *others: str) -> list[str]:
    on = str(Bundle.load().folder)
    return ["train", "--on", on, "--data", str(data), "--out", str(out), *others]


@pytest.fixture(scope="module", autouse=True)
def _made_up_pictures_are_no_copies() -> Iterator[None]:
    """To the network they are all much alike."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "NEAR_COSINE", 0.9999)
        yield


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("learn")
    data = write(folder / "data", {1: 1, 0: 0}, audit=AUDIT)
    models = folder / "models"
    result = CliRunner().invoke(app, arguments(data, models / "mine", "--features", str(folder / "features")))
    return Learned(data, models, result)


def test_the_candidate_stands_on_the_base_beside_it(learned: Learned) -> None:
    assert learned.result.exit_code == 0, learned.result.output
    base = Bundle.load()
    assert {path.name for path in learned.models.iterdir()} == {"mine", folder_name(base.sha256)}
    assert {path.name for path in learned.out.iterdir()} == {"card.json", HEADS, "judgement.json", "report.html"}
    bundle = Bundle.load(learned.out)
    assert bundle.card.base == base.sha256
    assert bundle.path(INT8).parent.name == folder_name(base.sha256)
    assert bundle.card.recipe["learned"] == {
        "labels": OWN,
        "asked_again": 0,
        "weight": learned.judgement.weight,
    }
    assert bundle.card.metrics.keys() == {"guard", "held_out"}
    assert bundle.card.data_sha256 != base.card.data_sha256


def test_the_judgement_is_written_and_printed(learned: Learned) -> None:
    judgement = learned.judgement
    assert judgement.candidate == Bundle.load(learned.out).sha256
    assert judgement.base == judgement.against == Bundle.load().sha256
    assert (judgement.labels, judgement.held_out.n, judgement.audit.n) == (OWN, OWN, AUDIT)
    assert judgement.guard.n > 1000
    assert [photo.set for photo in judgement.photos] == ["held_out"] * OWN + ["audit"] * AUDIT
    assert judgement.reason in learned.result.stdout
    assert f"FOODSORT_MODEL__BUNDLE={learned.out}" in learned.result.stderr
    assert [line.split()[:3] for line in learned.result.stdout.splitlines() if line.startswith("your labels")] == [
        ["your", "labels", str(OWN)]
    ]
    report = (learned.out / "report.html").read_text()
    assert judgement.reason in report.replace("&#39;", "'")
    assert report.count("<article>") >= judgement.held_out.won + judgement.held_out.lost


def test_an_engine_reads_from_the_candidate_what_the_judgement_says_of_the_audit_sample(learned: Learned) -> None:
    bundle = Bundle.load(learned.out)
    photos = [learned.data / f"{number}.jpg" for number in range(OWN, OWN + AUDIT)]
    pixels = np.stack([decode(path.read_bytes(), bundle.card.fit).pixels for path in photos])
    looks = look(open_engine("openvino", bundle, 8).logits, pixels, bundle.card.cascade)
    judged = [photo.candidate for photo in learned.judgement.photos if photo.set == "audit"]
    np.testing.assert_allclose(probability(looks.logits, 1.0), judged, atol=0.02)


def test_it_has_learned_the_persons_kind_of_photos(learned: Learned) -> None:
    judgement = learned.judgement
    assert judgement.audit.correct_candidate >= judgement.audit.correct_live
    assert judgement.audit.correct_candidate == AUDIT
    assert judgement.guard.lost - judgement.guard.won <= 2


def test_learning_again_starts_from_the_base_and_judges_the_live_model_fairly(learned: Learned, tmp_path: Path) -> None:
    """The live model has learned the same photos: neither may win by knowing them by heart."""
    live = str(learned.out)
    out = learned.models / "again"
    again = CliRunner().invoke(
        app, ["train", "--on", live, "--against", live, "--data", str(learned.data), "--out", str(out)]
    )
    assert again.exit_code == 0, again.output
    first, second = learned.judgement, load_judgement(out)
    assert second.base == first.base
    assert second.against == first.candidate
    assert second.held_out.won == second.held_out.lost == 0
    assert second.held_out.correct_live == first.held_out.correct_candidate
    assert Bundle.load(out).heads[224].centres.shape == Bundle.load(learned.out).heads[224].centres.shape


def test_one_class_alone_is_learned(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {1: 0}, first=500)
    result = CliRunner().invoke(app, arguments(data, tmp_path / "models/mine"))
    assert result.exit_code == 0, result.output
    judgement = load_judgement(tmp_path / "models/mine")
    assert judgement.held_out.correct_candidate >= judgement.held_out.correct_live
    assert judgement.audit.n == 0


def test_without_readable_photos_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {1: 1})
    for path in data.glob("*.jpg"):
        path.write_bytes(b"no photo")
    result = CliRunner().invoke(app, arguments(data, tmp_path / "models/mine"))
    assert result.exit_code == 1
    assert str(result.exception) == (f"none of the {OWN} labelled photos could be read; label others, or restore them")
    assert not (tmp_path / "models").exists()


def test_an_audit_sample_alone_is_nothing_to_learn_from(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {1: 1})
    table = data / "manifest.csv"
    table.write_text(table.read_text().replace(",training,", ",evaluation,"))
    result = CliRunner().invoke(app, arguments(data, tmp_path / "models/mine"))
    assert f"{OWN} of the {OWN} readable ones are the audit sample, and 0 are like" in str(result.exception)


def test_a_photo_like_one_of_the_audit_sample_is_not_learned(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {1: 1, 0: 0}, audit=AUDIT)
    (data / f"{OWN}.jpg").write_bytes((data / "0.jpg").read_bytes())
    result = CliRunner().invoke(app, arguments(data, tmp_path / "models/mine"))
    assert result.exit_code == 0, result.output
    judgement = load_judgement(tmp_path / "models/mine")
    assert judgement.audit.n == AUDIT
    assert judgement.labels == judgement.held_out.n < OWN
    assert not {one.sha256 for one in judgement.photos if one.set == "audit"} & {
        one.sha256 for one in judgement.photos if one.set == "held_out"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "here", "--epochs", "1"], "takes no --weights, --epochs, --head-only or --drop"),
        (["--on", "here", "--head-only"], "takes no"),
        (["--against", "here"], "--against, --features and --no-pictures need --on"),
        (["--features", "here"], "--against, --features and --no-pictures need --on"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *options])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("")
    result = CliRunner().invoke(app, arguments(tmp_path, tmp_path / "out"))
    assert "already exists; name a new folder with --out" in str(result.exception)


def test_neither_tensorflow_nor_keras_is_imported(tmp_path: Path) -> None:
    data = write(tmp_path / "data", {1: 1, 0: 0})
    program = f"""
import sys
sys.argv = ["foodsort", *{arguments(data, tmp_path / "models/mine")!r}]
from training.cli import app
from training.learning import groups
try:
    app()
finally:
    print(json.dumps(sorted({{"tensorflow", "keras", "nncf", "cleanlab", "imagehash"}} & set(sys.modules))))
"""
    run = subprocess.run([sys.executable, "-c", f"import json\n{program}"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    ("number", "message"), [(signal.SIGINT, "interrupted; nothing was written to"), (signal.SIGKILL, "")]
)
def test_an_interrupt_leaves_nothing_half_made(number: signal.Signals, message: str, tmp_path: Path) -> None:
    data = write(tmp_path / "data", {1: 1, 0: 0})
    out = tmp_path / "models/mine"
    # A report that never ends holds the run where the folder of the candidate is half made.
    program = f"""
import sys, time
import training.learn
training.learn.report.write = lambda *_: time.sleep(600)
sys.argv = ["foodsort", *{arguments(data, out)!r}]
from training.cli import app
from training.learning import groups
app()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 120
        while not list(tmp_path.glob("models/.unfinished-*/judgement.json")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        os.kill(process.pid, number)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert not out.exists()
    if message:
        assert process.returncode == 1
        assert message in " ".join(stderr.split())
        assert [path.name for path in (tmp_path / "models").iterdir()] == [folder_name(Bundle.load().sha256)]
    result = CliRunner().invoke(app, arguments(data, out))
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.parent.iterdir()} == {"mine", folder_name(Bundle.load().sha256)}
