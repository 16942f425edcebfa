"""Measurements of a network's regions: volumes of boundaries, regions near points."""
