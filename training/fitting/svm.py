"""Fits the head of the network: a support vector machine on its features."""

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


class SvmHead(NamedTuple):
    """The weights of the head's last two layers, float32, for d features and m support vectors.

    Attributes:
        kernel: Weights (d + 2, m) of the layer `likeness`, which computes the Gaussian kernels.
        kernel_bias: Bias (m,) of that layer.
        output: Weights (m, 1) of the layer `logit`.
        output_bias: Bias (1,) of that layer.
    """

    kernel: Floats32
    kernel_bias: Floats32
    output: Floats32
    output_bias: Floats32

    def attach_to(self, network: "keras.Model") -> "keras.Model":
        """Returns a network with this head. It shares all layers below the head with `network`.

        Args:
            network: As made by `resnet50.build`.
        """
        import keras

        logit = head.kernel_machine(network.get_layer(head.COMPARED).output, self.kernel.shape[1])
        complete = keras.Model(network.input, logit, name=network.name)
        complete.get_layer(head.LIKENESS).set_weights([self.kernel, self.kernel_bias])
        complete.get_layer(head.LOGIT).set_weights([self.output, self.output_bias])
        return complete


def fit(inputs: Floats32, labels: Labels, recipe: Recipe) -> SvmHead:
    """Fits a support vector machine with Gaussian kernels (Cortes and Vapnik 1995).

    Its m support vectors become the centres of the head's kernels, its decision value becomes the logit.

    Args:
        inputs: Inputs of the head, (n, d + 2): feature directions of length 1, evidence, and evidence squared.
        labels: (n,), 1 = food.
        recipe: Its `gamma`, `slack` and `evidence` are used.
    """
    gamma = recipe.gamma
    scale = recipe.evidence
    directions = inputs[:, :-2]
    evidence = inputs[:, -2:-1]
    machine = SVC(C=recipe.slack, gamma=gamma, cache_size=1000)
    machine.fit(np.concatenate([directions, scale * evidence], axis=1), labels)
    centres = machine.support_vectors_.astype(np.float32)
    # exp(−γ ‖x − c‖²) written out over (u, e, e²), see `models.head.attach`.
    squares = np.full((len(centres), 1), -gamma * scale**2)
    kernel = np.concatenate([2 * gamma * centres * [*np.ones(directions.shape[1]), scale], squares], axis=1).T
    return SvmHead(
        kernel=np.ascontiguousarray(kernel, np.float32),
        kernel_bias=np.ascontiguousarray(-gamma * (2 + centres[:, -1] ** 2), np.float32),
        output=np.ascontiguousarray(machine.dual_coef_.T, np.float32),
        output_bias=np.ascontiguousarray(machine.intercept_, np.float32),
    )
