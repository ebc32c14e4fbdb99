import os
from pathlib import Path

import pytest

from daemon.fs import dirfd


@pytest.mark.parametrize("path", [b"..", b"a/../b", b"a//b", b"."])
def test_no_path_leads_out_of_a_root(tmp_path: Path, path: bytes) -> None:
    root = dirfd.open_root(os.fsencode(tmp_path))
    with pytest.raises(OSError, match="not a plain relative path"), dirfd.open_folder(root, path, create=True):
        pass
    os.close(root)
