"""Every hyper-parameter of a training, in one place."""

from dataclasses import dataclass, field

from models.images.decode import Fit


@dataclass(frozen=True)
class Recipe:
    """What a training does. The defaults are the ones chosen on the validation split; see docs/model."""

    fit: Fit = field(default_factory=Fit)
    """How a picture becomes the square that the network sees."""
    mirror: bool = True
    """Learn from each photo's mirror image too."""
    batch: int = 8
    """Photos a step of a network that is not being trained; more gain nothing on CPUs."""
    gamma: float = 1.0
    """γ of the head's Gaussian kernels."""
    slack: float = 1.0
    """C of the head's support vector machine: what a training photo on the wrong side may cost."""
    evidence: float = 0.033
    """What a unit of ImageNet's logits counts beside the features' direction, whose length is 1."""
    finetune_epochs: int = 0
    """Most epochs of the second stage, which trains the backbone's last stage; 0 leaves it as ImageNet made it."""
    finetune_views: int = 4
    """Views of each photo that the second stage learns from: as it is, its mirror image, mildly changed ones."""
    finetune_batch: int = 32
    """Views a step of the second stage."""
    finetune_rate: float = 5e-4
    """Rate of stochastic gradient descent after the warm-up, which takes a tenth of the steps."""
    finetune_patience: int = 2
    """Epochs without a better validation loss after which the second stage ends."""
    weight_decay: float = 1e-4
    """Decoupled weight decay of the second stage (Loshchilov and Hutter 2019)."""
    label_smoothing: float = 0.05
    """Share by which the second stage's labels are moved towards one half."""
    unsure_error: float = 0.002
    """Highest share of wrong labels among the photos that are decided when `unsure` ones are set aside."""
    seed: int = 1
    """Seeds everything random."""
