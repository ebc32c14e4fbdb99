import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from rich.progress import Progress

from models import resnet50
from models.engines.tensorflow import load_tensorflow
from training.fitting import finetune as module
from training.fitting.checkpoint import Checkpoint
from training.fitting.finetune import HISTORY, FinetuneData, finetune
from training.fitting.recipe import Recipe

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

RECIPE = Recipe(finetune_epochs=3, finetune_batch=8, finetune_rate=1e-3, finetune_patience=9, seed=5)
SCRIPT = (
    "import sys; from pathlib import Path; from tests.training.fitting.test_finetune import run; run(Path(sys.argv[1]))"
)
ROOT = Path(__file__).parents[3]


def activations(photos: int, seed: int, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float16]:
    """Plausible activations before the last stage, (photos, 2, 2, 1024): food is stronger in half of the channels."""
    values = np.random.default_rng(seed).gamma(1.0, 0.5, (photos, 2, 2, 1024))
    values[labels == 1, ..., :512] *= 1.3
    return values.astype(np.float16)


def run(
    out: Path, recipe: Recipe = RECIPE, photos: int = 32
) -> tuple[pd.DataFrame, list[npt.NDArray[np.float32]], Checkpoint]:
    """Fine-tunes a random network; also writes the kernel of the last convolution to `<out>.npy`."""
    load_tensorflow()
    from training.fitting import determinism

    determinism.make_deterministic(1)
    network = resnet50.build()
    labels = np.arange(photos) % 2
    checkpoint = Checkpoint(out, {})
    with Progress(disable=True) as progress:
        half = labels[: photos // 2]
        data = FinetuneData(
            views=[activations(photos, seed, labels) for seed in (1, 2)],
            labels=labels,
            validation=activations(len(half), 3, half),
            validation_labels=half,
        )
        history = finetune(network, data, recipe=recipe, checkpoint=checkpoint, progress=progress)
    np.save(f"{out}.npy", network.get_layer("conv5_block3_3_conv").get_weights()[0])
    return history, network.get_weights(), checkpoint


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    history, _, _ = run(out)
    return history, np.load(f"{out}.npy")


def test_the_history_has_a_row_an_epoch_and_the_training_loss_falls(
    uninterrupted: tuple[pd.DataFrame, npt.NDArray[np.float32]],
) -> None:
    history, _ = uninterrupted
    assert list(history["epoch"]) == [0, 1, 2, 3]
    measured = {"loss", "accuracy", "cross_entropy"}
    assert set(history) == {"epoch"} | measured | {f"val_{name}" for name in measured}
    assert history["val_cross_entropy"].ne(history["val_loss"]).all()  # the labels of the loss are smoothed
    assert np.isnan(history["loss"][0])
    assert history["loss"][3] < history["loss"][1]


def test_a_killed_training_resumes_after_its_last_epoch_with_the_same_result(
    uninterrupted: tuple[pd.DataFrame, npt.NDArray[np.float32]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(out)], cwd=ROOT, stderr=subprocess.DEVNULL)
    finished = tmp_path / "out.unfinished" / HISTORY
    while process.poll() is None and not (finished.exists() and len(finished.read_text().splitlines()) >= 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = len(finished.read_text().splitlines()) - 1
    assert 2 <= kept < 4
    subprocess.run([sys.executable, "-c", SCRIPT, str(out)], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    history, kernel = uninterrupted
    pd.testing.assert_frame_equal(pd.read_csv(finished), history)
    np.testing.assert_array_equal(np.load(f"{out}.npy"), kernel)


def test_only_the_last_stage_changes_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    before, first, _ = run(tmp_path / "none", dataclasses.replace(RECIPE, finetune_epochs=0))
    assert list(before["epoch"]) == [0]
    # With this learning rate the training diverges: the best epoch is epoch 0.
    wild = dataclasses.replace(RECIPE, finetune_rate=1e3, finetune_epochs=4, finetune_patience=2)
    history, after, _ = run(tmp_path / "wild", wild)
    assert len(history) == 3  # patience
    for kept, stock in zip(after, first, strict=True):
        np.testing.assert_array_equal(kept, stock)
    _, tuned, checkpoint = run(tmp_path / "tuned", dataclasses.replace(RECIPE, finetune_epochs=1))
    names = [variable.path for variable in resnet50.build().variables]
    changed = {name for name, one, other in zip(names, tuned, first, strict=True) if not np.array_equal(one, other)}
    assert changed
    assert all(name.startswith("conv5_") and "_conv/" in name for name in changed)
    assert [path.name for path in checkpoint.folder.glob("*-finetune*")] == ["1-finetune.weights.h5"]


def test_another_seed_gives_another_result(
    uninterrupted: tuple[pd.DataFrame, npt.NDArray[np.float32]], tmp_path: Path
) -> None:
    run(tmp_path / "out", dataclasses.replace(RECIPE, seed=6))
    assert not np.array_equal(np.load(tmp_path / "out.npy"), uninterrupted[1])


def test_with_float16_as_on_a_gpu_the_last_stage_learns_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gpu_present", lambda: True)
    # A CPU computes in float16 slowly, so these are few.
    history, _, _ = run(tmp_path / "out", dataclasses.replace(RECIPE, finetune_epochs=2), photos=16)
    assert history["val_loss"].notna().all()
    assert history["loss"][2] < history["loss"][1]
