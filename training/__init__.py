"""Makes a model: labelled photos in, a bundle with its report out.

The layers, top down: `report`, `evaluation`, `data`, `fitting`. `train` is a whole training, from top to bottom.
"""

OWNER = "foodsort"
"""The distribution that owns this package; `daemon.cli.import_guard` checks it."""
