"""Sphinx configuration: ``python -m sphinx -W -b html docs docs/_build``."""

import linregions

project = "linregions"
author = "The linregions developers"
release = version = linregions.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autosummary_generate = False
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"linregions {release}"
html_copy_source = False
html_show_sphinx = False
