"""A sandboxed worker decodes every kind of picture as `decode` does: the codecs are loaded before it confines itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.decoders.pool import DecoderPool
from models.images.decode import Fit, decode
from tests.models.images.matrix import VARIANTS

pytestmark = pytest.mark.slow

FIT = Fit(96)


def test_every_kind_of_picture_decodes_in_a_worker_as_outside(tmp_path: Path) -> None:
    differing = {}
    with ThreadPoolExecutor(1) as threads, DecoderPool(FIT, 40_000_000, 60, size=1) as decoders:
        for variant in VARIANTS:
            data = variant.data()
            (tmp_path / "photo").write_bytes(data)
            with (tmp_path / "photo").open("rb") as file:
                result = threads.submit(decoders.decode, file.fileno())
                error = result.exception(60)
            expected = decode(data, FIT)
            facts = expected._replace(exif=expected.exif._replace(orientation=1))[1:]  # it has been applied
            if error or (result.result().pixels != expected.pixels).any() or result.result()[1:] != facts:
                differing[f"{variant.format}: {variant.name}"] = error
        assert decoders.deaths == 0
    assert not differing
