"""Fits the head: which training photos a new one is compared with, and what each says."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from models import head
from training.fitting.features import Labels
from training.fitting.recipe import Recipe

if TYPE_CHECKING:
    import keras

Floats32 = npt.NDArray[np.float32]


class Machine(NamedTuple):
    """The head's weights, float32: kernels and biases of its layers `likeness`, (d + 2, m) and (m,), and `logit`."""

    likeness: Floats32
    offsets: Floats32
    weights: Floats32
    bias: Floats32

    def put_on(self, network: "keras.Model") -> "keras.Model":
        """A network with this head, which shares everything before it with `network`, made by `resnet50.build`."""
        import keras

        logit = head.kernel_machine(network.get_layer(head.COMPARED).output, self.likeness.shape[1])
        whole = keras.Model(network.input, logit, name=network.name)
        whole.get_layer(head.LIKENESS).set_weights([self.likeness, self.offsets])
        whole.get_layer(head.LOGIT).set_weights([self.weights, self.bias])
        return whole


def fit(compared: Floats32, labels: Labels, recipe: Recipe) -> Machine:
    """A support vector machine with Gaussian kernels (Cortes and Vapnik 1995) on what `models.head` compares.

    compared: (n, d + 2), directions of length 1, evidence and its square; labels: (n,), 1 = food.
    Its m support vectors become the head's centres, its decision value the logit.
    """
    gamma, scale = recipe.gamma, recipe.evidence
    units, evidence = compared[:, :-2], compared[:, -2:-1]
    machine = SVC(C=recipe.slack, gamma=gamma, cache_size=1000)
    machine.fit(np.concatenate([units, scale * evidence], axis=1), labels)
    centres = machine.support_vectors_.astype(np.float32)
    # exp(−γ ‖x − c‖²) written out over (u, e, e²), see `models.head.attach`.
    squares = np.full((len(centres), 1), -gamma * scale**2)
    likeness = np.concatenate([2 * gamma * centres * [*np.ones(units.shape[1]), scale], squares], axis=1)
    offsets = -gamma * (2 + centres[:, -1] ** 2)
    weights = machine.dual_coef_.T
    return Machine(
        *(np.ascontiguousarray(one, np.float32) for one in (likeness.T, offsets, weights, machine.intercept_))
    )
