"""The optional packages of the extra ``draw``, imported when a picture asks for them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import LinregionsError


def need(module: str, purpose: str) -> Any:
    """Import an optional module, or say which extra holds it."""
    try:
        return import_module(module)
    except ImportError:
        package = {"PIL": "pillow"}.get(module.split(".")[0], module.split(".")[0])
        raise LinregionsError(
            f"{purpose} needs {package}: pip install 'linregions[draw]'"
        ) from None


def new_axes(ax: Any, size: tuple[float, float]) -> Any:
    """The axes given, or those of a new figure.

    A figure of pyplot where one may be shown (notebooks, windows), so that ``plt.show`` and
    inline display work as everyone expects.
    """
    if ax is not None:
        return ax
    pyplot = need("matplotlib.pyplot", "drawing")
    _, ax = pyplot.subplots(figsize=size, layout="constrained")
    return ax
