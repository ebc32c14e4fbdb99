"""Sorts photos: an inbox folder in, `food/`, `non_food/` and a results database out."""

OWNER = "foodsort"
"""Whose package this is; `daemon.cli.import_guard` looks at it."""
