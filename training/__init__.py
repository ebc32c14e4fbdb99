"""Makes a model: labelled photos in, a bundle with its report out."""

OWNER = "foodsort"
"""Whose package this is; `daemon.cli.import_guard` looks at it."""
