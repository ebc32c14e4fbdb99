"""Fits the heads of a bundle again with a person's photos, and judges the result."""
