"""Labelled photos: reading them, auditing them, finding wrong labels."""
