"""The input box of a verification property in the ``.vnnlib`` format, with exact decimals."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..domain import Box
from ..errors import LinregionsError
from ..rational import simplest
from .values import about

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
VARIABLE = re.compile(r"([XY])_(\d+)")
FLIPPED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "=": "="}
Tree = Any  # a token, or a list of trees


def read_box(path: str | Path) -> Box:
    """Read the box of inputs X_0, X_1, ... that a property constrains.

    Decimals are taken as the rationals that they are; constraints on outputs Y_i are left
    out. A strict bound counts like the other one: full-dimensional cells are the same.

    Raises
    ------
    LinregionsError
        When the inputs are constrained to anything but one box with both bounds everywhere,
        such as a union of boxes.
    """
    with about(path):
        trees = _trees(Path(path).read_text(encoding="utf-8"))
        declared = [_declared(t) for t in trees if t and t[0] in ("declare-const", "declare-fun")]
        inputs = sorted(int(v[2:]) for v in declared if v.startswith("X_"))
        if not inputs:
            raise LinregionsError("no input is declared; expected (declare-const X_0 Real)")
        if inputs != list(range(len(inputs))):
            raise LinregionsError(f"the inputs are not X_0 to X_{len(inputs) - 1}, without a gap")
        bounds = _Bounds(len(inputs))
        for tree in trees:
            if not isinstance(tree, list) or not tree:
                raise LinregionsError(f"expected a list, got {_show(tree)}")
            if tree[0] == "assert" and len(tree) == 2:
                bounds.require(tree[1])
            elif tree[0] not in ("declare-const", "declare-fun", "set-logic", "check-sat"):
                raise LinregionsError(f"{_show(tree)} is not understood; expected (assert ...)")
        lo, hi = bounds.arrays()
        return Box(lo, hi, name=f"box of {Path(path).name}")


def _trees(text: str) -> list[Tree]:
    tokens = re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text))
    stack: list[list[Tree]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            if len(stack) == 1:
                raise LinregionsError("a closing parenthesis too many")
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    if len(stack) > 1:
        raise LinregionsError("a parenthesis is not closed; the file is truncated")
    if not stack[0]:
        raise LinregionsError("the file is empty")
    return stack[0]


def _declared(tree: Tree) -> str:
    if len(tree) < 3 or not isinstance(tree[1], str) or not VARIABLE.fullmatch(tree[1]):
        raise LinregionsError(f"{_show(tree)}: expected variables named X_0, ... and Y_0, ...")
    if tree[-1] != "Real":
        raise LinregionsError(f"{_show(tree)}: expected type Real")
    return tree[1]


def _letters(tree: Tree) -> set[str]:
    """Which of X and Y a constraint mentions."""
    if isinstance(tree, list):
        return set().union(*map(_letters, tree))
    match = VARIABLE.fullmatch(tree)
    return {match[1]} if match else set()


def _show(tree: Tree) -> str:
    text = tree if isinstance(tree, str) else "(" + " ".join(_show(t) for t in tree) + ")"
    return text if len(text) <= 60 else text[:57] + "..."


def _number(tree: Tree) -> Fraction | None:
    """A decimal, ``(- 0.5)`` or ``(/ 1 3)``; None for anything else."""
    if isinstance(tree, str):
        return Fraction(tree) if NUMBER.fullmatch(tree) else None
    parts = [_number(t) for t in tree[1:]]
    values = [p for p in parts if p is not None]
    if len(values) == len(parts) == 1 and tree[0] == "-":
        return -values[0]
    if len(values) == len(parts) == 2 and tree[0] == "/" and values[1] != 0:
        return values[0] / values[1]
    return None


class _Bounds:
    """The tightest bounds asserted so far."""

    def __init__(self, inputs: int) -> None:
        self.lo: list[Fraction | None] = [None] * inputs
        self.hi: list[Fraction | None] = [None] * inputs

    def require(self, tree: Tree) -> None:
        if "X" not in _letters(tree):
            return
        head = tree[0] if isinstance(tree, list) and tree else None
        if head == "and" or (head == "or" and len(tree) == 2):
            for part in tree[1:]:
                self.require(part)
        elif head == "or":
            raise LinregionsError(
                f"the inputs lie in a union of {len(tree) - 1} boxes; write each (and ...) of "
                f"{_show(tree)} to a file of its own, and count in each box separately"
            )
        elif "Y" not in _letters(tree):
            self.bound(tree)

    def bound(self, tree: Tree) -> None:
        if not isinstance(tree, list) or len(tree) != 3 or tree[0] not in FLIPPED:
            raise LinregionsError(f"{_show(tree)} is no bound on one input, so this is no box")
        sign, name, value = tree
        if not isinstance(name, str) or not VARIABLE.fullmatch(name):
            sign, name, value = FLIPPED[sign], value, name
        number = _number(value)
        if number is None or not isinstance(name, str) or not VARIABLE.fullmatch(name):
            raise LinregionsError(
                f"{_show(tree)} is no bound on one input, so this is no box; give the half-spaces "
                "to Polytope(A, b)"
            )
        i = int(name[2:])
        if i >= len(self.lo):
            raise LinregionsError(f"{_show(tree)}: {name} is not declared")
        low, high = self.lo[i], self.hi[i]
        if sign in (">=", ">", "="):
            self.lo[i] = number if low is None else max(low, number)
        if sign in ("<=", "<", "="):
            self.hi[i] = number if high is None else min(high, number)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        for bounds, what in ((self.lo, "lower"), (self.hi, "upper")):
            if missing := [f"X_{i}" for i, b in enumerate(bounds) if b is None]:
                names = ", ".join(missing[:4]) + (", ..." if len(missing) > 4 else "")
                raise LinregionsError(f"no {what} bound for {names}; a box needs both bounds")
        out = []
        for bounds in (self.lo, self.hi):
            array = np.empty(len(bounds), dtype=object)
            array[:] = bounds
            out.append(simplest(array))
        return out[0], out[1]
