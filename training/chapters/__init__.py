"""The chapters of a report, each a Section from the figures that it tells."""
