"""How good a model is: predictions, metrics, intervals, robustness, mistakes."""
