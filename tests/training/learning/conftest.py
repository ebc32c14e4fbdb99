import pytest

from models.bundle import Bundle


@pytest.fixture(scope="session")
def shipped() -> Bundle:
    """The shipped bundle."""
    return Bundle.load()
