"""``linregions measure``: a group of commands, each in a file of its own."""

from __future__ import annotations

from cyclopts import App

from . import crossings, distance, local, volume

command = App(name="measure", help="Measure boundaries: distances, volumes, regions near points.")
command.command(crossings.command, name="crossings")
command.command(distance.command, name="distance")
command.command(volume.command, name="volume")
command.command(local.command, name="local")
