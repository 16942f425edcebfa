"""Bounds, exact formulas and expectations: whole numbers in, exact numbers out, no geometry.

`arrangements` of hyperplanes; `dense` and `maxout` networks; `conv`, `shared` and `deepconv`
for convolutions; `expectation` over random weights. Nothing here knows a `Network`:
`linregions.bounds` says what applies to one.
"""

from . import arrangements, comparison, conv, deepconv, dense, expectation, maxout, shared
from ._check import OutOfReach
from .conv import Conv

__all__ = [
    "Conv",
    "OutOfReach",
    "arrangements",
    "comparison",
    "conv",
    "deepconv",
    "dense",
    "expectation",
    "maxout",
    "shared",
]
