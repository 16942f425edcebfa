"""Low-dimensional bounded domains: the whole cell complex."""
