"""`foodsort run` with a window of eight files: `python -m tests.programs.small_window PYTHON -m daemon run --root ROOT`."""

import sys
from pathlib import Path

from rich.console import Console

from daemon.monitoring.log import configure
from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import load

root = Path(sys.argv[-1])
configure(terminal=False)
service = Service(root, load(root), Progress(Console(stderr=True)), once=False, dry_run=False, window=8)
service.start()
service.run()
