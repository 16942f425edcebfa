"""Points at which to measure: checked, chosen at random, or normal like a data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import LinregionsError


def rows(values: Any, name: str) -> np.ndarray:
    """(m, n) finite floats from an array or tensor of m points; images are flattened."""
    for step in ("detach", "cpu"):  # tensors, on whatever device
        values = getattr(values, step, lambda values=values: values)()
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise LinregionsError(f"{name}: not numbers; give an array (points, inputs)") from None
    if x.ndim < 2:
        raise LinregionsError(f"{name} of shape {x.shape}; give (points, inputs)")
    if not x.size:
        raise LinregionsError(f"{name} of shape {x.shape} holds no points; give at least one")
    if not np.isfinite(x).all():
        raise LinregionsError(f"{name} holds NaN or infinite values")
    return x.reshape(len(x), -1)


def fitting(x: np.ndarray, inputs: int, name: str) -> np.ndarray:
    """The same points, refused where they are no inputs of the network."""
    if x.shape[-1] != inputs:
        raise LinregionsError(
            f"{name}: points of {x.shape[-1]} entries for a network of {inputs} inputs; give "
            f"shape (points, {inputs})"
        )
    return x


def some(x: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """``number`` of the points, drawn without repetition; all where there are no more."""
    return x if len(x) <= number else x[rng.choice(len(x), number, replace=False)]


def normal_points(data: Any, number: int = 1000, seed: int = 0) -> np.ndarray:
    """Normal points with the mean and the variance of a data set in every coordinate.

    Independent coordinates, as in section 3.2 of Hanin and Rolnick (ICML 2019).

    Parameters
    ----------
    data
        (m, n) points, or m images.
    number
        How many points to draw.
    seed
        Of the draw.

    Returns
    -------
    numpy.ndarray
        Shape (number, n).
    """
    x = rows(data, "data")
    if number < 1:
        raise LinregionsError(f"number={number}: give at least one")
    normal = np.random.default_rng(seed).standard_normal((number, x.shape[1]))
    return x.mean(axis=0) + x.std(axis=0) * normal
