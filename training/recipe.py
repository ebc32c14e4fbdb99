"""Every hyper-parameter of a training, in one place."""

from dataclasses import dataclass, field

from models.images import Fit


@dataclass(frozen=True)
class Recipe:
    """What a training does. The defaults are the ones chosen on the validation split; see docs/training-log.md."""

    fit: Fit = field(default_factory=Fit)
    """How a picture becomes the square that the network sees."""
    mirror: bool = True
    """Train the head on each photo's mirror image too."""
    batch: int = 8
    """Photos a step of the frozen backbone; 8 is TensorFlow's fastest on CPUs."""
    epochs: int = 60
    """Most passes over the features while the head is fitted."""
    patience: int = 8
    """Epochs without a better validation loss after which fitting ends."""
    head_batch: int = 64
    """Features a step of the head."""
    learning_rate: float = 3e-4
    """Adam's rate for the head."""
    weight_decay: float = 0.1
    """Decoupled weight decay of the head (Loshchilov and Hutter 2019), relative to the learning rate."""
    unsure_error: float = 0.002
    """Highest share of wrong labels among the photos that are decided when `unsure` ones are set aside."""
    seed: int = 1
    """Seeds everything random."""
