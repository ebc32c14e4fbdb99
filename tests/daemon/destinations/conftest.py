from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.inbox.claims import Claims


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    (tmp_path / "inbox").mkdir()
    claims = Claims(tmp_path / "inbox")
    yield claims
    claims.close()
