"""The checked values of the theory sheet: found beside the shared data, else skipped."""

import json
from functools import cache

from data import shared


@cache
def _read(path):
    return json.loads(path.read_text())


def reference(key):
    """One table of reference_values.json."""
    return _read(shared("../theory/reference_values.json"))[key]
