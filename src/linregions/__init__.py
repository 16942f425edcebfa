"""Linear regions of piecewise-linear neural networks: counted exactly, fast, in any dimension.

Load a network, say where to look, ask::

    import linregions as lr

    net = lr.load("network.onnx")
    lr.count(net)                                   # over all of R^n
    lr.count(net, lr.Box(-1, 1), kind="linear")
    for region in lr.regions(net, lr.Box(-1, 1)):
        ...
"""

from . import constructions, theory
from .bounds import Bound, bounds
from .counting import Count, Status, count
from .domain import Box, Domain, Polytope, Slice, Space, restrict
from .errors import LinregionsError, UnsupportedNetwork
from .network import Layer, Network
from .readers import load
from .regions import Region, region, regions
from .units import Activation, MaxUnits, Pointwise

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "Bound",
    "Box",
    "Count",
    "Domain",
    "Layer",
    "LinregionsError",
    "MaxUnits",
    "Network",
    "Pointwise",
    "Polytope",
    "Region",
    "Slice",
    "Space",
    "Status",
    "UnsupportedNetwork",
    "bounds",
    "constructions",
    "count",
    "load",
    "region",
    "regions",
    "restrict",
    "theory",
]
