"""A network as it stands in the middle of training, without a trace in the training.

torch is looked up among the loaded modules, never imported.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..network.network import Network
from ..readers import load


def snapshot(model: Any, shape: Sequence[int] | None = None) -> Network:
    """The network that a model computes at inference now.

    A torch module is read in evaluation mode and without gradients; the modes of all its parts,
    its gradients and buffers, and the random states of torch, numpy and Python are the same
    afterwards, so that training goes on bit for bit as it would have. Wrappers of
    ``torch.compile`` and of data-parallel training are looked through.

    Parameters
    ----------
    model
        Whatever `load` takes.
    shape
        Shape of one input without the batch dimension, where the model does not say it.

    Examples
    --------
    >>> snapshot([([[1.0]], [0.0]), ([[1.0]], [0.0])])
    Network(1-1-1, relu)
    """
    if isinstance(model, Network):
        return model
    with undisturbed():
        return load(model, shape=shape)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Random states of Python, numpy and torch (all its devices in use) as they were."""
    torch: Any = sys.modules.get("torch")
    plain, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002 (the caller's)
    cpu = torch.get_rng_state() if hasattr(torch, "get_rng_state") else None
    cuda = cpu is not None and torch.cuda.is_available() and torch.cuda.is_initialized()
    devices = torch.cuda.get_rng_state_all() if cuda else []
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(arrays)  # noqa: NPY002
        if cpu is not None:
            torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(devices)
