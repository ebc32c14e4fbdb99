from collections import Counter
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

from models.bundle import HEADS, NETWORK, Bundle

_TENSORFLOW = ("tests/training/", "tests/models/engines/")
"""Folders whose tests load TensorFlow, which keeps gigabytes: one worker runs them all."""
_LONGEST = (*_TENSORFLOW, "tests/daemon/fs/")
"""Folders whose files take minutes. A worker that began one of them last would work on alone."""
_PATIENCE_S = 1200
"""Timeout of a test in them (s), its fixtures included: they may train a model beside other tests that do."""

_SYSTEM_FIXTURES = {"browser", "cluster", "machine", "mount"}
"""Fixtures that start a browser, a PostgreSQL server or a systemd, or mount a filesystem."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests for `make test-system` by the fixtures that they use, and orders the files: the longest first."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if _SYSTEM_FIXTURES.intersection(item.fixturenames) or "postgresql" in parameters:
            item.add_marker("system")
        if item.nodeid.startswith(_LONGEST):
            item.add_marker(pytest.mark.timeout(_PATIENCE_S))
    tests = Counter(_file(item) for item in items)
    items.sort(key=lambda item: (not item.nodeid.startswith(_LONGEST), -tests[_file(item)], _file(item)))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Keeps the tests of a file in one process, and all tests with TensorFlow in another: they share slow fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "tensorflow" if file.startswith(_TENSORFLOW) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    config.option.loadscopereorder = False  # the order is that of the collection
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped bundle without its OpenVINO model."""
    shipped, folder = Bundle.load(), tmp_path_factory.mktemp("plain")
    names = (NETWORK, HEADS)
    for name in names:
        (folder / name).symlink_to(Path(shipped.folder / name).resolve())
    return Bundle.write(folder, shipped.card.model_copy(update={"files": dict.fromkeys(names, "")}))
