"""Large networks on slices of few dimensions: only the units that switch there are kept."""
