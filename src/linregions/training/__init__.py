"""Regions through training: trackers, callbacks, and what changed between two checkpoints.

::

    tracker = lr.training.Tracker(["lines", "distance"], data=images, every="log")
    ...
        tracker(model, step=step, epoch=epoch)     # in any loop
    ...
    tracker.table.save("regions.parquet")
"""

from .callbacks import keras, lightning
from .changes import Changes, changes
from .measures import Bounds, Cells, Custom, Distance, Estimated, Lines, Measure, Reading
from .plots import curves
from .points import normal_points
from .schedule import Schedule
from .snapshot import snapshot
from .table import Row, Table
from .tracker import Tracker

__all__ = [
    "Bounds",
    "Cells",
    "Changes",
    "Custom",
    "Distance",
    "Estimated",
    "Lines",
    "Measure",
    "Reading",
    "Row",
    "Schedule",
    "Table",
    "Tracker",
    "changes",
    "curves",
    "keras",
    "lightning",
    "normal_points",
    "snapshot",
]
