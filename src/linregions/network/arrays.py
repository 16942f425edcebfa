"""Points, images and tensors as arrays of vectors: what a caller may give for an input."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..errors import LinregionsError


def array_of(value: Any) -> np.ndarray:
    """An array of what was given; a torch tensor, or each in a list, without its gradient."""
    return np.asarray(_detached(value))


def _detached(value: Any) -> Any:
    if hasattr(value, "detach"):
        tensor = value.detach().cpu()  # numpy knows no bfloat16; float64 holds it exactly
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    if isinstance(value, list | tuple) and any(hasattr(v, "detach") for v in value):
        return [_detached(v) for v in value]
    return value


def points_of(points: Any, inputs: int, what: str = "points") -> tuple[np.ndarray, bool]:
    """Points as float64 of shape (points, inputs), and whether a single one was given.

    An image of as many entries as the network has inputs is flattened in C order, and so is
    each of a batch of images, shape (points, channels, height, width) for example.
    """
    try:
        x = array_of(points).astype(np.float64)
    except (TypeError, ValueError):
        raise LinregionsError(f"{what}: not numbers; give an array (points, {inputs})") from None
    if x.ndim > 1 and prod(x.shape[1:]) == inputs:
        return x.reshape(len(x), inputs), False
    if (x.ndim == 1 and len(x) == inputs) or (x.ndim > 1 and x.size == inputs):
        return x.reshape(1, inputs), True
    if x.shape == (0,):
        raise LinregionsError(f"no points given (shape {x.shape}); give at least one")
    raise LinregionsError(
        f"{what} of shape {x.shape} for a network of {inputs} inputs; give (points, {inputs}), or "
        f"images of {inputs} entries each"
    )


def finite_points(points: Any, n: int) -> np.ndarray:
    x, _ = points_of(points, n)
    if not len(x):
        raise LinregionsError(f"no points given (shape {x.shape}); give at least one")
    if not np.isfinite(x).all():
        raise LinregionsError("the points hold NaN or infinite values")
    return np.ascontiguousarray(x)
