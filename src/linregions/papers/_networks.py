"""Random networks of the papers' initialisations, and convolutions as dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ..theory import Conv, shared

Layers = list[tuple[np.ndarray, np.ndarray]]


def he(sizes: Sequence[int], rng: np.random.Generator, bias_std: float = 1e-3) -> Layers:
    """Normal weights of variance 2 / fan-in and normal biases (Hanin and Rolnick 2019)."""
    return [
        (rng.normal(0, np.sqrt(2 / n), (m, n)), rng.normal(0, bias_std, m))
        for n, m in pairwise(sizes)
    ]


def uniform(sizes: Sequence[int], rng: np.random.Generator) -> Layers:
    """All weights and biases uniform in (-1, 1) (Wang 2022)."""
    return [(rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m)) for n, m in pairwise(sizes)]


# -- convolutions, whose parameters are one vector: filters and biases, layer by layer ------------


def conv_size(layers: Sequence[Conv]) -> int:
    """How many parameters they have."""
    return sum(layer.parameters for layer in layers)


def conv_draw(layers: Sequence[Conv], rng: np.random.Generator) -> np.ndarray:
    """Filters and biases normal with variance 2 / fan-in (Xiong et al. 2020, section 6)."""
    scale = [
        np.full(layer.parameters, np.sqrt(2 / (prod(layer.kernel) * layer.channels)))
        for layer in layers
    ]
    return rng.standard_normal(conv_size(layers)) * np.concatenate(scale)


def conv_dense(layers: Sequence[Conv], parameters: np.ndarray, head: Any = None) -> Layers:
    """The layers as dense ones, with an output that reads every unit (``head`` or ones).

    Units are ordered by filter, then position; a convolution reads by position, then channel.
    """
    out, order, at = [], None, 0
    for layer in layers:
        many = layer.parameters - layer.filters
        shape = (layer.filters, *layer.kernel, layer.channels)
        filters = parameters[at : at + many].reshape(shape)
        W, b = shared.matrix(layer, filters, parameters[at + many : at + layer.parameters])
        if order is not None:
            W, columns = np.empty_like(W), W
            W[:, order] = columns
        order = np.arange(layer.units).reshape(layer.filters, -1).T.ravel()
        at += layer.parameters
        out.append((W, b))
    head = np.ones((1, len(out[-1][1]))) if head is None else np.asarray(head, float)
    return [*out, (head, np.zeros(len(head)))]
