"""`python -m daemon` is `foodsort`."""

from daemon.cli import app

app(prog_name="foodsort")
