"""Fits a network to photos: first the head, then, if asked, the backbone's last stage and the head again."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models import head
from models.decision import probability
from training.fitting import calibrate, svm
from training.fitting.checkpoint import Array, Work
from training.fitting.conversion import runner
from training.fitting.feature_cache import Decoded, seen
from training.fitting.features import Labels
from training.fitting.finetune import CUT, finetune
from training.fitting.recipe import Recipe

if TYPE_CHECKING:
    import keras

PIXELS = "pixels"

Floats32 = npt.NDArray[np.float32]


class Fitted(NamedTuple):
    """A fitted network, its logits on validation (m,), and the second stage's history (None without one)."""

    network: "keras.Model"
    logits: Floats32
    history: pd.DataFrame | None


def fit(
    network: "keras.Model", training: Decoded, validation: Decoded, recipe: Recipe, work: Work, progress: Progress
) -> Fitted:
    """Fits `network`, made by `resnet50.build` with ImageNet's weights, and returns the one with the finished head.

    The second stage's outcome is kept only where validation gives it less loss than the head alone has.
    """
    views = 1 + recipe.mirror
    if not recipe.finetune_epochs:
        run = runner(head.submodel(network, PIXELS, head.COMPARED))
        compared = [seen(run, training, view, recipe, work, progress, np.float32) for view in range(views)]
        shown = seen(run, validation, 0, recipe, work, progress, np.float32)
        return _with_head(network, compared, training.labels, shown, recipe)

    run = runner(head.submodel(network, PIXELS, CUT))
    cut = [seen(run, training, view, recipe, work, progress, np.float16) for view in range(recipe.finetune_views)]
    cut_shown = seen(run, validation, 0, recipe, work, progress, np.float16)
    frozen = _from_cut(network, cut[:views], training.labels, cut_shown, recipe)
    stock = network.get_weights()
    history = finetune(network, cut, training.labels, (cut_shown, validation.labels), recipe, work, progress)
    tuned = _from_cut(network, cut[:views], training.labels, cut_shown, recipe)
    if _loss(tuned.logits, validation.labels) < _loss(frozen.logits, validation.labels):
        return tuned._replace(history=history)
    network.set_weights(stock)
    return frozen._replace(history=history)


def _from_cut(network: "keras.Model", views: list[Array], labels: Labels, shown: Array, recipe: Recipe) -> Fitted:
    run = runner(head.submodel(network, CUT, head.COMPARED))
    compared = [
        np.concatenate(
            [run(np.asarray(one[at : at + recipe.batch], np.float32)) for at in range(0, len(one), recipe.batch)]
        )
        for one in (*views, shown)
    ]
    return _with_head(network, compared[:-1], labels, compared[-1], recipe)


def _with_head(network: "keras.Model", views: list[Array], labels: Labels, shown: Array, recipe: Recipe) -> Fitted:
    machine = svm.fit(np.concatenate(views), np.tile(labels, len(views)), recipe)
    whole = machine.put_on(network)
    logits = np.asarray(head.submodel(whole, head.COMPARED, head.LOGIT)(np.asarray(shown)))[:, 0]
    return Fitted(whole, logits, None)


def _loss(logits: Floats32, labels: Labels) -> float:
    """Binary cross-entropy at the best temperature."""
    p_food = probability(logits, calibrate.fit_temperature(logits, labels))
    return float(-np.log(np.where(labels == 1, p_food, 1 - p_food).clip(1e-12)).mean())
