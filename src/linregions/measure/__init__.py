"""Measurements of a network's regions: along lines and curves."""
