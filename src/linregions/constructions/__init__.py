"""Networks whose number of regions is a theorem.

Every function returns a `Construction`: a `Network` that also holds its numbers of regions
over all of R^n, by kind (``net.regions["activation"]``), and their source. Weights are small
integers or dyadic numbers wherever the count depends on coincidences, so that it holds for
the floating-point network as it is stored.
"""

from ._construction import Construction
from ._folds import montufar2014, sawtooth, serra2018, wang2022
from ._layers import OFFSETS, arrangement, convolutional, xiong_counterexample
from ._single import KINDS, from_sat, six_definitions

__all__ = [
    "KINDS",
    "OFFSETS",
    "Construction",
    "arrangement",
    "convolutional",
    "from_sat",
    "montufar2014",
    "sawtooth",
    "serra2018",
    "six_definitions",
    "wang2022",
    "xiong_counterexample",
]
