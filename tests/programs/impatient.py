"""`foodsort run` with a limit of one second for the progress of stages: `impatient.py PYTHON -m daemon run --root ROOT`."""

import sys
from pathlib import Path

from rich.console import Console

from daemon.monitoring import stages
from daemon.monitoring.log import configure
from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import load

stages.STILL_S = 1.0
root = Path(sys.argv[-1])
configure(terminal=False)
service = Service(root, load(root), Progress(Console(stderr=True)), once=False, dry_run=False)
service.start()
service.run()
