"""Linear regions of piecewise-linear neural networks: counted exactly."""

from .domain import Box, Domain, Polytope, Slice, Space, restrict
from .errors import LinregionsError, UnsupportedNetwork
from .network import Layer, Network

__version__ = "0.1.0"
