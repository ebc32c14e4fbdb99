"""Every hyper-parameter of a training, in one place."""

from dataclasses import dataclass, field

from models.images.decode import Fit
from training.fitting.views import MIRROR, View


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of a training. The defaults were chosen on the validation split; see docs/model."""

    fit: Fit = field(default_factory=Fit)
    """How a photo is resized to the square input of the network."""
    views: tuple[View, ...] = (MIRROR, View("grey", 1 / 3), View("part", 1 / 2))
    """Views of the photos on which the heads are fitted beside the originals."""
    held_out_sources: float = 0.1
    """Share of the sources of further data sets that are left out of training, for validation."""
    first_weight: float = 3.0
    """Weight of a photo of the first data set; one of a further data set has 1."""
    cascade_side: int = 128
    """Side of the pictures of the small look (pixels); 0 makes a model with one look."""
    batch: int = 8
    """Photos per inference batch of a frozen network; larger batches gain nothing on CPUs."""
    components: int = 384
    """Principal components of the features that the head compares."""
    gamma: float = 1.5
    """γ of the Gaussian kernels of the head."""
    slack: float = 1.0
    """C of the head: the penalty for a training photo on the wrong side of the margin."""
    exact_limit: int = 20_000
    """Most views of training photos on which the head is an exact support vector machine."""
    landmarks: int = 3_000
    """Centres of the kernels where there are more (Nyström map)."""
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
    unsure_error: float = 0.02
    """Highest error rate allowed among the decided photos of left-out sources when `unsure` photos are set aside."""
    seed: int = 1
    """Seed of all random numbers."""
