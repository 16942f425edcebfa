"""The model that a command is about, and how it is read."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import LinregionsError
from ..network.network import Network
from ..progress import current, watched
from ..readers import load
from .progress import shown
from .values import sizes_of

FORMATS = "A .onnx, .nnet, .npz, .pt2 or TorchScript file."
_SIZES = "Sizes of one input without the batch (3,32,32), for models that do not say them."
Model = Annotated[Path, Parameter(help=FORMATS)]
Shape = Annotated[str | None, Parameter(name=["--shape", "--input-shape"], help=_SIZES)]
InputShape = Annotated[str | None, Parameter(help=_SIZES)]  # where --shape is that of something


def read_model(model: Path, shape: str | None = None) -> Network:
    """Read a model file; progress and warnings go to stderr."""
    sizes = sizes_of(shape)

    def work(_: Any) -> Network:
        current().stage = "reading"
        return load(model, shape=sizes)

    with warnings.catch_warnings(record=True) as caught, shown() as report:
        warnings.simplefilter("always")
        try:
            net = watched(work, progress=report)
        except LinregionsError as error:  # options have other names here
            raise LinregionsError(str(error).replace("shape=", "--shape=")) from None
    for warning in caught:
        print(f"linregions: warning: {warning.message}", file=sys.stderr)
    return net
