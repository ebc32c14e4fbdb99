"""JPEG XL: the size, which has to be known before the plug-in decodes all of an image at once."""

from typing import BinaryIO

_CONTAINER = b"\0\0\0\x0cJXL "
_CODESTREAM = b"\xff\x0a"
_HEADER_BYTES = 1 << 20
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def size(stream: BinaryIO) -> tuple[int, int] | None:
    """Returns width and height (pixels) from the codestream's SizeHeader (ISO/IEC 18181-1 § 9.3.2), None if damaged."""
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    start = 0
    if head.startswith(_CONTAINER):  # the codestream is in a box `jxlc`, or in parts, each with a number of 4 bytes
        box = head.find(b"jxlc"), head.find(b"jxlp")
        start = box[0] + 4 if box[0] >= 0 else box[1] + 8
    if head[start : start + 2] != _CODESTREAM:
        return None
    bits = _Bits(head[start + 2 : start + 14])
    is_small = bits.take(1)
    height = _side(bits, is_small)
    ratio = bits.take(3)
    if ratio == 0:
        return _side(bits, is_small), height
    numerator, denominator = _RATIOS[ratio - 1]
    return height * numerator // denominator, height


def _side(bits: "_Bits", is_small: int) -> int:
    return 8 * (bits.take(5) + 1) if is_small else bits.take(_SIDE_BITS[bits.take(2)]) + 1


class _Bits:
    """Bits of bytes, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value
