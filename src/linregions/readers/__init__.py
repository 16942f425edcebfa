"""Readers: whatever holds a trained network, in; a `Network` in canonical form, out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import LinregionsError
from ..files import about
from ..network.network import Network
from . import nnet, npz, sklearn
from .keras import graph as keras
from .symbolic.values import floats
from .torch import files as torch_files

TORCH = (".pt2", ".pt", ".pth")
FILES = (".onnx", ".nnet", ".npz", *TORCH)
SHAPELESS = "shape= is for .onnx files, torch and Keras models only; leave it out"
ACCEPTED = (
    f"a path ({', '.join(FILES)}), a torch module or exported program, a Keras model, a "
    "fitted sklearn MLPClassifier or MLPRegressor, a list [(W1, b1), ..., (W_out, b_out)] or "
    "a Network"
)


def load(source: Any, *, shape: Sequence[int] | None = None) -> Network:
    """Bring a trained network into the canonical form that every engine reads.

    Parameters
    ----------
    source
        A path to a ``.onnx``, ``.nnet`` or ``.npz`` file, to a program of ``torch.export``
        (``.pt2``) or TorchScript (``.pt``, ``.pth``), a ``torch.nn.Module`` or exported program,
        a Keras model, a fitted scikit-learn MLPClassifier or MLPRegressor, a list
        ``[(W1, b1), ..., (W_out, b_out)]`` of a ReLU network with weights of shape (units,
        inputs), or a `Network`.
    shape
        Shape of one input, without the batch dimension. For ``.onnx``, torch and Keras only, and
        only needed where the model does not say.

    Returns
    -------
    Network
        Its ``notes`` say what was compiled away, dropped or rounded.

    Raises
    ------
    LinregionsError
        When the source cannot be read; `UnsupportedNetwork` when it is not piecewise linear
        or uses a part that this version does not know.

    Examples
    --------
    >>> load([([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    Network(2-2-1, relu)
    """
    if isinstance(source, Network) and shape is None:
        return source
    if shape is not None:
        shape = _checked(shape)
    if isinstance(source, str | os.PathLike):
        return _load_file(Path(source), shape)
    if _is_torch(source):
        from .torch import graph as torch

        return torch.read_any(source, shape)
    if keras.is_model(source):
        return keras.read(source, shape)
    if shape is not None:
        raise LinregionsError(SHAPELESS)
    if sklearn.is_perceptron(source):
        return sklearn.read(source)
    if isinstance(source, list | tuple):
        return Network.from_layers([_pair(pair, i) for i, pair in enumerate(source, start=1)])
    raise LinregionsError(f"cannot load an object of type {type(source).__name__}; give {ACCEPTED}")


def _load_file(path: Path, shape: tuple[int, ...] | None) -> Network:
    kind = path.suffix.lower()
    if not path.exists():
        raise LinregionsError(f"{path}: no such file")
    if path.is_dir():
        raise LinregionsError(f"{path}: is a directory; give a file ({', '.join(FILES)})")
    if kind not in FILES:
        what = f"the file type {kind!r}" if kind else "a file without an extension"
        raise LinregionsError(f"{path}: cannot read {what}; supported: {', '.join(FILES)}")
    with about(path):
        if path.stat().st_size == 0:
            raise LinregionsError("the file is empty")
        if kind == ".onnx":
            from .onnx import model as onnx

            return onnx.read(path, shape)
        if kind in TORCH:
            return torch_files.read(path, shape)
        if shape is not None:
            raise LinregionsError(SHAPELESS)
        return nnet.read(path) if kind == ".nnet" else npz.read(path)


def _is_torch(source: Any) -> bool:
    """True for a torch module or program; torch is not imported to find out."""
    torch: Any = sys.modules.get("torch")
    if not (hasattr(torch, "nn") and hasattr(torch, "export")):  # or another thread is at it
        return False
    return isinstance(source, (torch.nn.Module, torch.export.ExportedProgram))


def _checked(shape: Sequence[int]) -> tuple[int, ...]:
    try:
        out = tuple(int(d) for d in shape)
    except (TypeError, ValueError):
        out = ()
    if not out or min(out) < 1:
        raise LinregionsError(f"shape={shape!r}: give the positive sizes of one input, as (784,)")
    return out


def _pair(pair: Any, i: int) -> tuple[Any, Any]:
    try:
        weight, bias = pair
    except (TypeError, ValueError):
        raise LinregionsError(f"layer {i} is not a pair (W, b)") from None
    shift = None if bias is None else floats(bias, f"the bias of layer {i}")
    return floats(weight, f"the weight of layer {i}"), shift


__all__ = ["load"]
