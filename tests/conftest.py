from pathlib import Path

import pytest

from models.bundle import NETWORK, Bundle


@pytest.hookimpl(tryfirst=True)  # what distributes them reads the groups in its own hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, those of a file stay together, and so do all that need what takes longest to make."""
    for item in items:
        group = "trained" if "trained" in getattr(item, "fixturenames", ()) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle that comes with foodsort, without its OpenVINO model."""
    shipped, folder = Bundle.load(), tmp_path_factory.mktemp("plain")
    (folder / NETWORK).symlink_to(Path(shipped.folder / NETWORK).resolve())
    return Bundle.write(folder, shipped.card.model_copy(update={"files": {NETWORK: ""}}))
