"""How far one operation on float64 may be off: the result times 2^-53, to nearest."""

ROUNDOFF = 2.0**-53
