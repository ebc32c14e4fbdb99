"""Makes a model: labelled photos in, a bundle with its report out."""

OWNER = "foodsort"
"""Whose package this is; `daemon.ownership` looks at it."""
