"""One search on many processors, over days: tasks, executors, checkpoints, shards.

The tree of a search is divided into bundles of branches (`search.branch`). A task walks a bundle
for about a second and hands back what is left of it; `Coordinator` keeps as many tasks under way as
there are workers, splits bundles where work runs short, and counts a task only once its result
is there, so that whatever dies can be done again.
"""
