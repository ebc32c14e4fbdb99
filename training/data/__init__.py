"""Labelled photos: reading data sets, auditing them, finding label errors."""
