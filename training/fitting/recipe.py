"""Every hyper-parameter of a training, in one place."""

from dataclasses import dataclass, field

from models.images.decode import Fit
from training.fitting.views import MIRROR, View


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of a training. The defaults were chosen on the validation split; see docs/model."""

    fit: Fit = field(default_factory=Fit)
    """How a photo is resized to the square input of the network."""
    views: tuple[View, ...] = (MIRROR,)
    """Views of the photos on which the head is fitted beside the originals."""
    batch: int = 8
    """Photos per inference batch of a frozen network; larger batches gain nothing on CPUs."""
    gamma: float = 1.0
    """γ of the Gaussian kernels of the SVM head."""
    slack: float = 1.0
    """C of the SVM head: the penalty for a training photo on the wrong side of the margin."""
    evidence: float = 0.033
    """Weight of one unit of ImageNet's logits relative to the feature direction, which has length 1."""
    finetune_epochs: int = 0
    """Maximum epochs of fine-tuning, which trains the last stage of the backbone; 0 skips it."""
    finetune_views: int = 4
    """Views of each photo used in fine-tuning: the original, its mirror image, then augmented copies."""
    finetune_batch: int = 32
    """Views per gradient step of fine-tuning."""
    finetune_rate: float = 5e-4
    """Peak learning rate of SGD, reached after a warm-up of a tenth of the steps."""
    finetune_patience: int = 2
    """Early stopping: epochs without a better validation loss after which fine-tuning ends."""
    weight_decay: float = 1e-4
    """Decoupled weight decay of fine-tuning (Loshchilov and Hutter 2019)."""
    label_smoothing: float = 0.05
    """Label smoothing of fine-tuning: the share by which labels are moved towards one half."""
    unsure_error: float = 0.002
    """Highest error rate allowed among the photos that are decided when `unsure` photos are set aside."""
    seed: int = 1
    """Seed of all random numbers."""
