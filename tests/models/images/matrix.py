"""Small pictures of every format × depth × layout × colour, each with the pixels that another library reads."""

from tests.models.images.modern_variants import heifs, jp2s, jxls, webps
from tests.models.images.plain_variants import bitmaps, jpegs, pngs
from tests.models.images.tiff_variants import odd_tiffs, plain_tiffs

_MAKERS = (plain_tiffs, odd_tiffs, pngs, jpegs, bitmaps, webps, heifs, jxls, jp2s)
VARIANTS = [variant for make in _MAKERS for variant in make()]
