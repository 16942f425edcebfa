"""Every table of the reference sheet is recomputed by some test; the rest of them here.

The values of section 9 (sampling) follow from their definitions alone.
"""

import json
import re
from fractions import Fraction
from pathlib import Path

from data import shared
from reference import reference


def test_every_table_is_read():
    tables = set(json.loads(shared("../theory/reference_values.json").read_text())) - {"_note"}
    here = Path(__file__).parent
    read = set()
    for path in here.glob("test_*.py"):
        read |= set(re.findall(r'reference\("(\w+)"\)', path.read_text()))
    assert tables <= read, tables - read


def test_knuth():
    """Random descents: the mean of 1 + d1 + d1 d2 + ... is the number of nodes."""
    row = reference("knuth_tree")
    children = {int(k): v for k, v in row["children"].items()}

    def descents(node, chance, weight, total):
        total += weight
        below = children.get(node, [])
        if not below:
            yield chance, total
        for child in below:
            yield from descents(child, chance / len(below), weight * len(below), total)

    found = list(descents(0, Fraction(1), 1, 0))
    mean = sum(p * x for p, x in found)
    assert sum(p for p, _ in found) == 1
    assert mean == row["E"] == row["nodes"] == 1 + sum(map(len, children.values()))
    assert sum(p * (x - mean) ** 2 for p, x in found) == row["Var"]


def test_unseen_species():
    def chao1(seen, once, twice):
        plain = Fraction(once**2, 2 * twice) if twice else Fraction(once * (once - 1), 2)
        return [seen + plain, seen + Fraction(once * (once - 1), 2 * (twice + 1))]

    row = reference("chao1")
    assert row == {"S10_f1_4_f2_2": chao1(10, 4, 2), "S10_f1_4_f2_0": chao1(10, 4, 0)}
    assert reference("good_turing")["n50_f1_4"] == float(1 - Fraction(4, 50))


def test_the_zigzag_of_three_units():
    """``5 - 3 relu(4x - 1) + 2 relu(4x - 2) - 2 relu(3 - 4x)``: four pieces onto [0, 1]."""
    import numpy as np

    from linregions.constructions._folds import _zigzag_plus

    row, fold = reference("construction_p3_serra"), _zigzag_plus(1, 3)
    np.testing.assert_array_equal(np.column_stack([fold.W[:, 0], fold.b]), row["hidden"])
    np.testing.assert_array_equal(fold.G[0], row["out"])
    assert fold.c[0] == row["const"]
    for width in range(3, 12):
        fold = _zigzag_plus(1, width)
        kinks = sorted(-fold.b / fold.W[:, 0])
        assert kinks[0] > 0 and kinks[-1] < 1
        ends = np.array([0, *kinks, 1])
        values = np.maximum(fold.W * ends + fold.b[:, None], 0).T @ fold.G[0] + fold.c[0]
        assert (np.minimum(values[1:], values[:-1]) <= 1e-12).all()
        assert (np.maximum(values[1:], values[:-1]) >= 1 - 1e-12).all()
