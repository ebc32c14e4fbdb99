"""The report of an evaluation: metrics, sections, plots, files."""
