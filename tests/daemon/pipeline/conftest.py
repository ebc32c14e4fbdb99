from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.inbox.claimed_photo import Claimed
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp


@pytest.fixture
def claims(root: Path) -> Iterator[Claims]:
    claims = Claims(root / "inbox")
    yield claims
    claims.close()


def claim(claims: Claims, root: Path, data: bytes, stable_since: float = 0, name: str = "a.jpg") -> Claimed:
    path = root / "inbox" / name
    path.write_bytes(data)
    return claims.claim(ReadyFile(name.encode(), FileStamp.of(path.stat()), stable_since, overdue=False))
