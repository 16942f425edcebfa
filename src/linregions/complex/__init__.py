"""Low-dimensional domains: the whole cell complex, and breakpoints along lines."""
