"""`foodsort run` whose stages are given a second to move: `impatient.py PYTHON -m daemon run --root ROOT`."""

import sys
from pathlib import Path

from rich.console import Console

from daemon.monitoring import heart
from daemon.monitoring.log import configure
from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import load

heart.STILL_S = 1.0
root = Path(sys.argv[-1])
configure(terminal=False)
Service(root, load(root), Progress(Console(stderr=True)), once=False, dry_run=False).run()
