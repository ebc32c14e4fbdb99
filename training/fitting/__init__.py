"""Fitting a model: features, SVM head, fine-tuning, calibration, quantization."""
