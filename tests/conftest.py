from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

from models.bundle import NETWORK, Bundle

_TRAINING = "tests/training/"


_SYSTEM_FIXTURES = {"browser", "cluster", "machine", "mount"}
"""Fixtures that start a browser, a PostgreSQL server or a systemd, or mount a filesystem."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests for `make test-system` by the fixtures that they use."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if _SYSTEM_FIXTURES.intersection(item.fixturenames) or "postgresql" in parameters:
            item.add_marker("system")


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Keeps the tests of a file in one process, and all tests of training in another: they share slow fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _TRAINING if file.startswith(_TRAINING) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped bundle without its OpenVINO model."""
    shipped, folder = Bundle.load(), tmp_path_factory.mktemp("plain")
    (folder / NETWORK).symlink_to(Path(shipped.folder / NETWORK).resolve())
    return Bundle.write(folder, shipped.card.model_copy(update={"files": {NETWORK: ""}}))
