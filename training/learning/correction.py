"""An additive correction of a head: f = f₀ + g, where g is a sum of Gaussian kernels at a person's photos.

A kernel is local, so f keeps what f₀ learned far from these photos. That matters because f₀ was fitted to mirror images,
grey copies and parts of photos too, which the bank lacks.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit

from models.head import Head
from training.fitting.features import Features, Labels

SCALE = 2.0
"""Standard deviation of g before any label is seen, in units of the logit."""
LANDMARKS = 3_000
"""Most kernels of a correction; with more photos, some are drawn at random."""
_JITTER = 1e-2
"""Added to the diagonal of the kernel matrix, so that near copies do not get large weights of opposite signs."""
_ROWS = 2048
_ITERATIONS = 200
_TOLERANCE = 1e-7

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Problem(NamedTuple):
    """The photos of fits for one side: those of a person, then those of the bank.

    Attributes:
        head: f₀.
        positions: float32 (n, k).
        offsets: Logits of f₀ (n,).
        labels: int (n,), 1 = food.
    """

    head: Head
    positions: Features
    offsets: Features
    labels: Labels


class Correction(NamedTuple):
    """A fitted g.

    Attributes:
        centres: The centres of its kernels, float32 (m, k).
        weights: Their weights (m,), in units of the calibrated logit.
    """

    centres: Features
    weights: Floats


def prepare(head: Head, positions: Sequence[Features], labels: Sequence[Labels]) -> Problem:
    """Computes f₀ for a person's photos and those of the bank."""
    everyone = np.concatenate(positions)
    parts = [head.logits_at(everyone[start : start + _ROWS]) for start in range(0, len(everyone), _ROWS)]
    return Problem(head, everyone, np.concatenate(parts), np.concatenate(labels))


def fit(problem: Problem, centres: Rows, weights: Sequence[npt.NDArray[np.floating]]) -> list[Correction]:
    """Fits g by a logistic regression with a Gaussian prior, for several weights of the photos.

    Args:
        problem: The photos.
        centres: Rows of the photos at which the kernels are, such as from `landmarks`.
        weights: For each fit, the weight of each photo (n,); 0 leaves it out.
    """
    at = problem.positions[centres]
    if not len(at):
        return [Correction(at, np.zeros(0)) for _ in weights]
    gamma = problem.head.gamma
    # Functions that are independent and of variance 1 under the prior: L⁻¹ times the kernels (Nyström).
    kernels = _kernels(at, at, gamma).astype(np.float64) + _JITTER * np.eye(len(at))
    factor = cholesky(kernels, lower=True)
    values = np.empty((len(problem.positions), len(at)), np.float32)
    for start in range(0, len(values), _ROWS):
        part = _kernels(problem.positions[start : start + _ROWS], at, gamma)
        values[start : start + _ROWS] = solve_triangular(factor, part.T.astype(np.float64), lower=True).T
    return [Correction(at, solve_triangular(factor.T, _regress(problem, values, one), lower=False)) for one in weights]


def landmarks(rows: Rows, seed: int) -> Rows:
    """Returns the rows at which kernels are put, ascending: all of them, or some drawn at random."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:LANDMARKS])


def _regress(problem: Problem, values: Features, weights: npt.NDArray[np.floating]) -> Floats:
    """Returns the coefficients (m,) of functions with the values (n, m)."""
    signs = np.where(problem.labels == 1, 1.0, -1.0).astype(np.float32)
    weighted = np.asarray(weights, np.float32)

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        margins = signs * (problem.offsets + values @ coefficients.astype(np.float32))
        slopes = -weighted * signs * expit(-margins)
        penalty = coefficients / SCALE**2
        value = float((weighted * np.logaddexp(np.float32(0), -margins)).sum(dtype=np.float64))
        return value + float(coefficients @ penalty) / 2, (values.T @ slopes).astype(np.float64) + penalty

    options: dict[str, float] = {"maxiter": _ITERATIONS, "ftol": _TOLERANCE}
    found = minimize(loss, np.zeros(values.shape[1]), jac=True, method="L-BFGS-B", options=options)  # type: ignore[call-overload]
    return np.asarray(found.x, np.float64)


def apply(correction: Correction, problem: Problem, rows: Rows) -> Features:
    """Computes f₀ + g for some of the photos: float32 (len(rows),)."""
    kernels = _kernels(problem.positions[rows], correction.centres, problem.head.gamma)
    return np.asarray(problem.offsets[rows] + kernels @ correction.weights, np.float32)


def corrected(head: Head, correction: Correction, temperature: float) -> Head:
    """Returns f₀ + g as one head, whose logits are divided by a further temperature."""
    weights = correction.weights * head.temperature  # a head divides the sum of its kernels by its temperature
    return dataclasses.replace(
        head,
        centres=np.concatenate([head.centres, correction.centres]),
        weights=np.concatenate([head.weights, weights.astype(np.float32)]),
        temperature=head.temperature * temperature,
    ).rounded()


def _kernels(positions: Features, centres: Features, gamma: float) -> Features:
    squares = (positions**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None]
    kernels: Features = np.exp(-gamma * np.maximum(squares - 2 * positions @ centres.T, 0)).astype(np.float32)
    return kernels
