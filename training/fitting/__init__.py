"""Fitting a model: features, head, fine-tuning, calibration, export."""
