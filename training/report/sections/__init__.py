"""The sections of a report, each built from the results that it shows."""
