"""Torch in files: programs of ``torch.export`` (``.pt2``) and TorchScript (``.pt``, ``.pth``).

Files that need Python's pickle to be opened (whole modules, state dicts) are not: they could
run code of a stranger, and a state dict alone says nothing of the function.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import LinregionsError
from ...files import about
from ...network.network import Network
from ..refusals import first_line

PICKLED = (
    "holds a pickled module or weights alone, not a program; load the module in Python and pass "
    "it, or save it with torch.export.save(torch.export.export(module, (example,)), 'FILE.pt2')"
)


def read(path: Path, shape: Sequence[int] | None = None) -> Network:
    """The network in a ``.pt2`` or TorchScript file; ``shape`` as for a module."""
    try:
        import torch
    except ImportError:
        raise LinregionsError(
            "reading this file needs torch, which is not installed: "
            "pip install 'linregions[torch]', or export the model to .onnx"
        ) from None
    from . import graph as reader

    with about(path):
        return reader.read_any(_opened(path, torch), shape)


def _opened(path: Path, torch: Any) -> Any:
    if not zipfile.is_zipfile(path):
        raise LinregionsError(f"not a program of torch; the file is damaged, or {PICKLED}")
    with zipfile.ZipFile(path) as file:
        names = {"/".join(name.split("/")[1:]) for name in file.namelist()}
    exported = any(name.startswith("models/") or "exported_program" in name for name in names)
    if not exported and not any(name.startswith("code/") for name in names):
        raise LinregionsError(f"the file {PICKLED}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(path) if exported else torch.jit.load(path, "cpu")
    except Exception as error:  # torch's many kinds for a damaged file
        raise LinregionsError(
            f"not a readable program of torch, truncated perhaps, or of a later version "
            f"({first_line(error)})"
        ) from error
