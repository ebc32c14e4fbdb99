from pathlib import Path

import pytest

from models.bundle import NETWORK, Bundle


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle that comes with foodsort, without its OpenVINO model."""
    shipped, folder = Bundle.load(), tmp_path_factory.mktemp("plain")
    (folder / NETWORK).symlink_to(Path(shipped.folder / NETWORK).resolve())
    return Bundle.write(folder, shipped.card.model_copy(update={"files": {NETWORK: ""}}))
