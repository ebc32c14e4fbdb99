"""Evaluating a model: predictions, metrics, intervals, robustness, mistakes."""
