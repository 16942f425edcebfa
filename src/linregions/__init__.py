"""Linear regions of piecewise-linear neural networks: counted exactly, fast, in any dimension.

Load a network, say where to look, ask::

    import linregions as lr

    net = lr.load("network.onnx")
    lr.count(net)                                   # over all of R^n
    lr.count(net, lr.Box(-1, 1), kind="linear")
    for region in lr.regions(net, lr.Box(-1, 1)):
        ...
    lr.subdivide(net, lr.Plane.through(a, b, c)).plot()   # every cell of a plane, and a picture
    lr.crossings(net, segments)                     # breakpoints along lines
    lr.estimate(net, seconds=10)                    # where counting is out of reach
    lr.sample(net); lr.distance(net, points)        # random points; the nearest boundary
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import constructions, draw, theory, training
    from .answer import Count
    from .boundary.distance import Distances, distance
    from .bounding import Bound, bounds
    from .certificates.checking import check
    from .check_regions import Refused
    from .complex.cells import CellComplex
    from .complex.subdivide import subdivide
    from .domain.domains import Box, Domain, Line, Plane, Polytope, Segment, Slice, Space
    from .domain.restrict import restrict
    from .errors import Interrupted, LinregionsError, PartialAnswerWarning, UnsupportedNetwork
    from .estimation import Estimate, Plan, estimate, plan
    from .exact.maps import AffineMaps, affine
    from .exact.region import Region, region
    from .line.crossings import Along, Crossings, crossings, regions_along
    from .measure.chords import Ball
    from .measure.local import (
        DistinctPatterns,
        LocalComplexity,
        distinct_patterns,
        local_complexity,
    )
    from .measure.theorem import ExpectedVolume, RandomNetworks, expected_boundary_volume
    from .measure.volume import BoundaryVolume, boundary_volume
    from .network.network import Layer, Network
    from .network.units import Activation, MaxUnits, Pointwise
    from .progress import Status
    from .questions.count import count
    from .questions.extremes import Extreme, Extremes, extremes
    from .questions.shards import Part, merge, shard
    from .questions.stream import Regions, regions
    from .readers import load
    from .sampling import Sampled, sample

# where each public name is: imported when it is first asked for, so that `import linregions` costs
# next to nothing
_ROOMS = ("constructions", "draw", "theory", "training")
_HOME = {
    name: module
    for module, names in {
        "answer": "Count",
        "boundary.distance": "Distances distance",
        "bounding": "Bound bounds",
        "certificates.checking": "check",
        "check_regions": "Refused",
        "complex.cells": "CellComplex",
        "complex.subdivide": "subdivide",
        "domain.domains": "Box Domain Line Plane Polytope Segment Slice Space",
        "domain.restrict": "restrict",
        "errors": "Interrupted LinregionsError PartialAnswerWarning UnsupportedNetwork",
        "estimation": "Estimate Plan estimate plan",
        "exact.maps": "AffineMaps affine",
        "exact.region": "Region region",
        "line.crossings": "Along Crossings crossings regions_along",
        "measure.chords": "Ball",
        "measure.local": "DistinctPatterns LocalComplexity distinct_patterns local_complexity",
        "measure.theorem": "ExpectedVolume RandomNetworks expected_boundary_volume",
        "measure.volume": "BoundaryVolume boundary_volume",
        "network.network": "Layer Network",
        "network.units": "Activation MaxUnits Pointwise",
        "progress": "Status",
        "questions.count": "count",
        "questions.extremes": "Extreme Extremes extremes",
        "questions.shards": "Part merge shard",
        "questions.stream": "Regions regions",
        "readers": "load",
        "sampling": "Sampled sample",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Activation",
    "AffineMaps",
    "Along",
    "Ball",
    "Bound",
    "BoundaryVolume",
    "Box",
    "CellComplex",
    "Count",
    "Crossings",
    "Distances",
    "DistinctPatterns",
    "Domain",
    "Estimate",
    "ExpectedVolume",
    "Extreme",
    "Extremes",
    "Interrupted",
    "Layer",
    "Line",
    "LinregionsError",
    "LocalComplexity",
    "MaxUnits",
    "Network",
    "Part",
    "PartialAnswerWarning",
    "Plan",
    "Plane",
    "Pointwise",
    "Polytope",
    "RandomNetworks",
    "Refused",
    "Region",
    "Regions",
    "Sampled",
    "Segment",
    "Slice",
    "Space",
    "Status",
    "UnsupportedNetwork",
    "affine",
    "boundary_volume",
    "bounds",
    "check",
    "constructions",
    "count",
    "crossings",
    "distance",
    "distinct_patterns",
    "draw",
    "estimate",
    "load",
    "merge",
    "plan",
    "expected_boundary_volume",
    "extremes",
    "local_complexity",
    "region",
    "regions",
    "regions_along",
    "restrict",
    "sample",
    "shard",
    "subdivide",
    "theory",
    "training",
]
