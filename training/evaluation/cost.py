"""What a picture costs."""

_AT_224 = 3_855_925_248  # of all convolutions, counted in `models.resnet50.build(224)`; the head adds a thousandth


def multiply_adds(side: int) -> float:
    """Multiplications with an addition that the ResNet-50 does for one picture of side × side pixels.

    They grow with the area; exactly so for sides that are multiples of 32, by which the network divides them.
    Keras' ResNet-50 halves its maps in the first layer of a block, as He et al. 2015 do; where others do it in the
    second (4.1 G at 224), it costs a little more.
    """
    return _AT_224 * (side / 224) ** 2
