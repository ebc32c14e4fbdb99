"""`python -m training`: the training commands alone."""

from training.cli import app

app(prog_name="python -m training")
