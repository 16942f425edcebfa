"""The input boxes of a verification property in the ``.vnnlib`` format, with exact decimals.

Versions 1 (``declare-const X_0 Real``) and 2 (``declare-network``, ``X[0,3]``) are read.
What is said of outputs is left out; what is said of inputs must amount to boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import LinregionsError
from ..files import about
from .vnnlib_boxes import Constraints, Side, distinct

TOKEN = re.compile(r"[()]|\"[^\"]*\"|[A-Za-z]\w*\s*\[[\d\s,]*\]|[^\s()]+")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
OLD = re.compile(r"([XY])_(\d+)")
ENTRY = re.compile(r"([A-Za-z]\w*)\s*\[([\d\s,]*)\]")
DECLARATION = re.compile(r"([A-Za-z]\w*)\s+([A-Za-z]\w*)\s*\[([\d\s,]*)\](\s+\".*\")?")
REALS = ("real", "float16", "float32", "float64", "bfloat16")
HEADS = frozenset(
    [
        "declare-const",
        "declare-fun",
        "declare-network",
        "vnnlib-version",
        "set-logic",
        "check-sat",
        "get-model",
        "exit",
    ]
)
COMPARISONS = ("<=", ">=", "<", ">", "=", "==", "!=")
Tree = Any  # a token, or a list of trees


class InputBox(NamedTuple):
    """One box: sides as arrays of Fractions, and what to call it."""

    lo: np.ndarray
    hi: np.ndarray
    name: str


def read_boxes(path: str | Path) -> list[InputBox]:
    """Read the boxes whose union a property constrains the inputs to, in the file's order.

    Decimals are taken as the rationals that they are; constraints on outputs are left out. A
    strict bound counts like the other one: full-dimensional cells are the same. Disjuncts with
    the same box, or with one inside another, are one box.

    Raises
    ------
    LinregionsError
        When the inputs are constrained to anything but boxes with both bounds everywhere, and
        when two of them overlap in their interiors: their regions would count twice.
    """
    with about(path):
        trees = _trees(Path(path).read_text(encoding="utf-8"))
        names = _declared(trees)
        bounds = Constraints()
        for tree in trees:
            if not isinstance(tree, list) or not tree:
                raise LinregionsError(f"expected a list, got {_show(tree)}")
            if tree[0] == "assert" and len(tree) == 2:
                _require(tree[1], bounds, names)
            elif tree[0] not in HEADS:
                raise LinregionsError(f"{_show(tree)} is not understood; expected (assert ...)")
        sides, file = distinct(bounds.boxes(names.inputs, names.written)), Path(path).name
        if len(sides) == 1:
            return [InputBox(*sides[0], f"box of {file}")]
        return [
            InputBox(lo, hi, f"box {i} of {len(sides)} of {file}")
            for i, (lo, hi) in enumerate(sides, start=1)
        ]


def _trees(text: str) -> list[Tree]:
    stack: list[list[Tree]] = [[]]
    for token in TOKEN.findall(re.sub(r";[^\n]*", "", text)):
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


@dataclass
class Names:
    """What the file declares: shapes by name, and which name is the input."""

    shapes: dict[str, tuple[int, ...]]
    input: str
    old: bool

    @property
    def inputs(self) -> int:
        """Number of input entries."""
        return prod(self.shapes[self.input])

    def written(self, i: int) -> str:
        """How the file writes input entry i."""
        if self.old:
            return f"X_{i}"
        at = np.unravel_index(i, self.shapes[self.input])
        return f"{self.input}[{','.join(str(int(k)) for k in at)}]"

    def entry(self, token: str) -> tuple[str, int] | None:
        """Name and flat index of a variable; None for what is none."""
        if self.old:
            match = OLD.fullmatch(token)
            if match is None:
                return None
            name, index = match[1], int(match[2])
            if name == self.input and index >= self.inputs:
                raise LinregionsError(f"{token} is not declared")
            return name, index
        match = ENTRY.fullmatch(token)
        name = token if match is None else match[1]
        if name not in self.shapes:
            if match is not None:
                raise LinregionsError(f"{token} is not declared")
            return None
        shape = self.shapes[name]
        index = [int(i) for i in match[2].replace(" ", "").split(",") if i] if match else []
        if prod(shape) == 1 and not any(index):  # a scalar, however it is written
            return name, 0
        if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
            raise LinregionsError(f"{token} is no entry of {name}, of shape {list(shape)}")
        flat = 0
        for i, n in zip(index, shape, strict=True):
            flat = flat * n + i
        return name, flat


def _declared(trees: list[Tree]) -> Names:
    lists = [t for t in trees if isinstance(t, list) and t]
    for tree in lists:
        if tree[0] == "vnnlib-version" and not re.fullmatch(r"<[12]\.\d+>", str(tree[-1])):
            raise LinregionsError(f"{_show(tree)}: versions 1 and 2 are read")
    networks = [t for t in lists if t[0] == "declare-network"]
    if not networks:
        return _old_names(lists)
    if len(networks) > 1:
        raise LinregionsError(
            f"{len(networks)} networks are declared; a box is that of one network's inputs: write "
            "a property of one of them, or give Box(lo, hi)"
        )
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = []
    for part in networks[0][2:]:
        if not isinstance(part, list) or not part or not str(part[0]).startswith("declare-"):
            raise LinregionsError(f"{_show(part)} is not understood in a declare-network")
        match = DECLARATION.fullmatch(" ".join(map(_show, part[1:])))
        if match is None:
            raise LinregionsError(f"{_show(part)}: expected (declare-input NAME TYPE [SHAPE])")
        if part[0] == "declare-input":
            inputs.append(match[1])
            if match[2].lower() not in REALS:
                raise LinregionsError(f"{_show(part)}: type {match[2]}; a box is one of reals")
        shapes[match[1]] = tuple(int(d) for d in match[3].replace(" ", "").split(",") if d)
    if len(inputs) != 1:
        names = ", ".join(inputs) or "none"
        raise LinregionsError(f"{len(inputs)} inputs are declared ({names}); one is expected")
    return Names(shapes, inputs[0], old=False)


def _old_names(lists: list[Tree]) -> Names:
    found = []
    for tree in lists:
        if tree[0] not in ("declare-const", "declare-fun"):
            continue
        match = OLD.fullmatch(tree[1]) if len(tree) > 2 and isinstance(tree[1], str) else None
        if match is None:
            raise LinregionsError(f"{_show(tree)}: expected variables named X_0, ... and Y_0, ...")
        if tree[-1] != "Real":
            raise LinregionsError(f"{_show(tree)}: expected type Real")
        found.append((match[1], int(match[2])))
    inputs = sorted(i for name, i in found if name == "X")
    if not inputs:
        raise LinregionsError("no input is declared; expected (declare-const X_0 Real)")
    if inputs != list(range(len(inputs))):
        raise LinregionsError(f"the inputs are not X_0 to X_{len(inputs) - 1}, without a gap")
    return Names({"X": (len(inputs),), "Y": (len(found) - len(inputs),)}, "X", old=True)


def _show(tree: Tree) -> str:
    text = tree if isinstance(tree, str) else "(" + " ".join(_show(t) for t in tree) + ")"
    return text if len(text) <= 60 else text[:57] + "..."


def _entries(tree: Tree, names: Names) -> Iterator[tuple[str, int]]:
    """The variables that a constraint mentions."""
    if isinstance(tree, list):
        for part in tree:
            yield from _entries(part, names)
    elif (found := names.entry(tree)) is not None:
        yield found


Form = dict[Any, Fraction]  # coefficients by variable, the constant at None


def _form(tree: Tree, names: Names) -> Form | None:
    """A number, a variable, or sums and multiples of them; None for anything else."""
    if isinstance(tree, str):
        if NUMBER.fullmatch(tree):
            return {None: Fraction(tree)}
        entry = names.entry(tree)
        return None if entry is None else {entry: Fraction(1)}
    forms = [_form(t, names) for t in tree[1:]]
    parts = [f for f in forms if f is not None]
    if not parts or len(parts) < len(forms):
        return None
    if tree[0] in ("+", "-"):
        first = parts[0] if tree[0] == "+" or len(parts) > 1 else {}
        rest = parts[1:] if len(parts) > 1 else ([] if tree[0] == "+" else parts)
        sign = 1 if tree[0] == "+" else -1
        out: Form = dict(first)
        for part in rest:
            for key, value in part.items():
                out[key] = out.get(key, Fraction(0)) + sign * value
        return out
    if tree[0] == "*":
        out = {None: Fraction(1)}
        for part in parts:
            plain, other = (part, out) if set(part) <= {None} else (out, part)
            if not set(plain) <= {None}:
                return None
            out = {k: v * plain.get(None, Fraction(0)) for k, v in other.items()}
        return out
    numbers = all(set(p) <= {None} for p in parts)
    if tree[0] == "/" and len(parts) == 2 and numbers and parts[1].get(None):
        return {None: parts[0].get(None, Fraction(0)) / parts[1][None]}
    return None


def _require(tree: Tree, bounds: Constraints, names: Names) -> None:
    """Add what a constraint says of the inputs."""
    mentioned = {name for name, _ in _entries(tree, names)}
    if names.input not in mentioned:
        return
    head = tree[0] if isinstance(tree, list) and tree else None
    if head == "and" or (head == "or" and len(tree) == 2):
        for part in tree[1:]:
            _require(part, bounds, names)
    elif head == "or":
        options = []
        for part in tree[1:]:
            option = Constraints()
            _require(part, option, names)
            options.append(option)
        bounds.either(options)
    elif mentioned == {names.input}:
        bounds.add(*_bound(tree, names))


def _bound(tree: Tree, names: Names) -> tuple[int, Side, Side]:
    """The input entry that a comparison bounds, and its bounds."""
    forms = [_form(t, names) for t in tree[1:]] if isinstance(tree, list) else []
    if len(forms) != 2 or tree[0] not in COMPARISONS or None in forms:
        raise LinregionsError(
            f"{_show(tree)} is no bound on one input, so this is no box; give linear constraints "
            "to Polytope(A, b)"
        )
    left, right = forms
    assert left is not None and right is not None
    keys = {*left, *right} - {None}
    slopes = {k: left.get(k, Fraction(0)) - right.get(k, Fraction(0)) for k in keys}
    slopes = {k: v for k, v in slopes.items() if v}
    if len(slopes) != 1 or tree[0] == "!=":
        raise LinregionsError(
            f"{_show(tree)} is no bound on one input, so this is no box; give the half-spaces "
            "to Polytope(A, b)"
        )
    (((_, i), slope),) = slopes.items()
    number = (right.get(None, Fraction(0)) - left.get(None, Fraction(0))) / slope
    below, above = tree[0] in ("<=", "<", "=", "=="), tree[0] in (">=", ">", "=", "==")
    if slope < 0:
        below, above = above, below
    return i, number if above else None, number if below else None
