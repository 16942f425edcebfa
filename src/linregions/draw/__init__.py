"""Pictures of cell complexes: figures for a paper, an interactive page, an animation.

Needs the extra ``linregions[draw]`` (matplotlib, plotly, pillow), which is imported only when
something is drawn; the page needs nothing but numpy.
"""

from .animation import animate
from .curve import graph
from .html import page
from .panels import layers
from .plane import draw
from .solids import solid

__all__ = ["animate", "draw", "graph", "layers", "page", "solid"]
