"""The computational cost of the network."""

_MULTIPLY_ADDS_224 = 3_855_925_248  # of all convolutions of `models.resnet50.build(224)`; the head adds a thousandth


def multiply_adds(side: int) -> float:
    """Returns the multiply-adds of the ResNet-50 for one photo of side × side pixels.

    They are proportional to the area, exactly so for multiples of 32, by which the network divides the sides. Keras'
    ResNet-50 downsamples in the first layer of a block, as He et al. 2015 do. Implementations that downsample in the
    second layer cost slightly more (4.1 G at 224).
    """
    return _MULTIPLY_ADDS_224 * (side / 224) ** 2
