"""The report of an evaluation: its sections, figures and files."""
