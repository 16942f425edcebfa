"""The canonical form that every engine reads: affine maps of earlier values, then units."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ..errors import LinregionsError
from .affine import INPUT, ONE, Affine, Term, check_finite
from .arrays import points_of
from .operators import Convolution
from .rational import is_rational, nearest
from .units import RELU, Activation, MaxUnits, Pointwise, Units

FORMAT = "linregions network 1"
MATRICES = 8_000_000_000  # bytes of convolutions written out as matrices
PUSHED = 1200  # bytes for each entry of the widest layer on a plane: measured


@dataclass(frozen=True, eq=False)
class Layer:
    """An affine map of earlier values followed by piecewise-linear units."""

    affine: Affine
    units: Units

    def __post_init__(self) -> None:
        if self.affine.size != self.units.fan_in:
            raise LinregionsError(
                f"a layer of {self.units.fan_in} units got {self.affine.size} pre-activations"
            )

    @property
    def size(self) -> int:
        """Number of outputs."""
        return self.units.size


@dataclass(frozen=True, eq=False)
class Network:
    """A piecewise-linear network ``R^inputs -> R^outputs`` in canonical form.

    Parameters
    ----------
    inputs
        Input dimension.
    layers
        In topological order; layer i (1-based) may read the input (source 0), the constant
        and the outputs of layers 1 .. i-1.
    output
        The affine output; it may read any source.
    notes
        What a reader did to reach this form (roundings, parts dropped); for people only:
        no part of the hash.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [-1.0]], [0.0, 1.0]), ([[1.0, 1.0]], [0.0])])
    >>> net.units, net.evaluate([[2.0]])
    (2, array([[2.]]))
    """

    inputs: int
    layers: tuple[Layer, ...]
    output: Affine
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for number, (affine, name) in enumerate(self._maps(), start=1):
            for term in affine.terms:
                for factor in term.parts:
                    check_finite(factor, name)
                self._check_term(term, number, name)

    def _check_term(self, term: Term, number: int, name: str) -> None:
        if not ONE <= term.source < number:
            raise LinregionsError(f"{name} reads value {term.source}, which comes later")
        if term.columns != (size := self.size_of(term.source)):
            raise LinregionsError(
                f"{name} has weights of shape {term.rows} x {term.columns}, but the value that "
                f"it reads has {size} entries"
            )

    def _maps(self) -> Iterator[tuple[Affine, str]]:
        for i, layer in enumerate(self.layers, start=1):
            yield layer.affine, f"layer {i}"
        yield self.output, "the output layer"

    # -- construction ---------------------------------------------------------------

    @staticmethod
    def from_layers(
        pairs: Sequence[tuple[Any, Any]], activation: Activation = RELU, notes: Sequence[str] = ()
    ) -> Network:
        """A sequential network from ``[(W1, b1), ..., (W_out, b_out)]``.

        ``W`` has shape (units, inputs of the layer), ``b`` shape (units,) or None; the last
        pair is the affine output, all earlier ones are followed by ``activation``.
        """
        if not pairs:
            raise LinregionsError("an empty list of layers; give [(W1, b1), ..., (W_out, b_out)]")
        affines = []
        for i, pair in enumerate(pairs):
            weight, bias = _pair(pair, i)
            if i and weight.shape[1] != affines[-1].size:
                raise LinregionsError(
                    f"layer {i + 1} has weights of shape {weight.shape[0]} x {weight.shape[1]}, "
                    f"but layer {i} has {affines[-1].size} units"
                )
            affines.append(Affine.dense(weight, bias, i))
        layers = tuple(Layer(a, Pointwise.uniform(activation, a.size)) for a in affines[:-1])
        return Network(affines[0].terms[0].columns, layers, affines[-1], tuple(notes))

    # -- shape ----------------------------------------------------------------------

    def size_of(self, source: int) -> int:
        """Number of entries of a source: the constant, the input or a layer's output."""
        if source == ONE:
            return 1
        return self.inputs if source == INPUT else self.layers[source - 1].size

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return tuple(layer.size for layer in self.layers)

    @property
    def has_max(self) -> bool:
        """Whether some layer has max units."""
        return any(isinstance(layer.units, MaxUnits) for layer in self.layers)

    @property
    def units(self) -> int:
        """Units in all."""
        return sum(self.widths)

    @property
    def outputs(self) -> int:
        """Output dimension."""
        return self.output.size

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """Large convolutions that are not written out as matrices."""
        maps = (affine for affine, _ in self._maps())
        parts = (part for affine in maps for term in affine.terms for part in term.parts)
        return tuple(part for part in parts if isinstance(part, Convolution))

    def __repr__(self) -> str:
        kinds = list(dict.fromkeys(layer.units.describe() for layer in self.layers))
        shape = "-".join(map(str, (self.inputs, *self.widths, self.outputs)))
        return f"Network({shape}, {', '.join(kinds) or 'affine'})"

    # -- evaluation -----------------------------------------------------------------

    def evaluate(self, points: Any) -> np.ndarray:
        """Outputs at points, in float64: shape (points, inputs) to (points, outputs).

        A single point of shape (inputs,) gives shape (outputs,).
        """
        x, single = self._points(points)
        values = {INPUT: x}
        for i, layer in enumerate(self.layers, start=1):
            values[i] = layer.units(layer.affine(values))
        out = self.output(values)
        return out[0] if single else out

    __call__ = evaluate

    def patterns(self, points: Any) -> np.ndarray:
        """Piece of every unit at points, shape (points, units), in layer order.

        For ReLU a piece is 1 where the pre-activation is positive, else 0. Computed in
        float64, so a point within rounding of a boundary may fall on either side.
        """
        x, single = self._points(points)
        values, pieces = {INPUT: x}, [np.zeros((x.shape[0], 0), np.int32)]
        for i, layer in enumerate(self.layers, start=1):
            z = layer.affine(values)
            pieces.append(layer.units.pieces(z))
            values[i] = layer.units(z)
        out = np.concatenate(pieces, axis=1)
        return out[0] if single else out

    def exactly(self, point: Sequence[Fraction | float]) -> tuple[list[Fraction], list[int]]:
        """Outputs and pieces at one rational point, without any rounding."""
        x = np.empty(self.inputs, dtype=object)
        x[:] = [Fraction(v) for v in point]
        values, pieces = {INPUT: x}, []
        for i, layer in enumerate(self.layers, start=1):
            values[i], mine = layer.units.at(layer.affine.at(values))
            pieces += mine
        return list(self.output.at(values)), pieces

    def _points(self, points: Any) -> tuple[np.ndarray, bool]:
        return points_of(points, self.inputs)

    # -- derived networks -----------------------------------------------------------

    def upto(self, layer: int, unit: int | None = None) -> Network:
        """The network whose output is the pre-activation of a hidden layer or of one unit.

        ``layer`` counts from 1; ``unit`` from 0 within the layer (None: all of them).
        """
        if not 1 <= layer <= len(self.layers):
            raise LinregionsError(f"layer {layer} of a network with {len(self.layers)} layers")
        affine = self.layers[layer - 1].affine
        if unit is not None:
            if not 0 <= unit < affine.size:
                raise LinregionsError(f"unit {unit} of layer {layer}, which has {affine.size}")
            affine = affine.rows([unit])
        return Network(self.inputs, self.layers[: layer - 1], affine)

    # -- identity and storage -------------------------------------------------------

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the exact content: equal for equal factors, whatever the file format."""
        text, arrays = self.canonical()
        digest = hashlib.sha256(text)
        for name in sorted(arrays):
            a = arrays[name]
            digest.update(f"{name} {a.dtype.str} {a.shape}".encode())
            digest.update(np.ascontiguousarray(a).tobytes())
        return digest.hexdigest()

    def canonical(self) -> tuple[bytes, dict[str, np.ndarray]]:
        """The exact content as text, and the arrays that it names: what `hash` is taken over."""
        header, arrays = self._pack()
        return json.dumps(header["network"], sort_keys=True).encode(), arrays

    def save(self, path: str | Path) -> None:
        """Write a ``.npz`` file that `load` reads back without any loss."""
        header, arrays = self._pack()
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        contents: dict[str, Any] = {"linregions": text, **arrays}
        np.savez_compressed(buffer, **contents)
        Path(path).write_bytes(buffer.getvalue())

    @staticmethod
    def read(path: str | Path) -> Network:
        """Read what `save` wrote."""
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(bytes(file["linregions"]).decode())
                arrays = {k: file[k] for k in file.files if k != "linregions"}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise LinregionsError(f"{path}: not a readable network file ({error})") from None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise LinregionsError(f"{path}: not in the format {FORMAT!r}")
        try:
            spec = header["network"]
            layers = tuple(
                Layer(_unpack_affine(s["affine"], arrays), _unpack_units(s["units"]))
                for s in spec["layers"]
            )
            output = _unpack_affine(spec["output"], arrays)
            return Network(spec["inputs"], layers, output, tuple(header["notes"]))
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise LinregionsError(f"{path}: a damaged network file ({error})") from None

    def _pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays: dict[str, np.ndarray] = {}
        maps = [_pack_affine(a, arrays) for a, _ in self._maps()]
        layers = [
            {"affine": m, "units": _pack_units(layer.units)}
            for m, layer in zip(maps, self.layers, strict=False)
        ]
        spec = {"inputs": self.inputs, "layers": layers, "output": maps[-1]}
        return {"format": FORMAT, "network": spec, "notes": list(self.notes)}, arrays

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.hash == other.hash

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)


def check_matrices(network: Network) -> None:
    """Raise where the matrices of the large convolutions would not fit."""
    size = 12 * sum(c.multiplications for c in network.convolutions)
    if size > MATRICES:
        widest = max([network.inputs, *(layer.affine.size for layer in network.layers)])
        raise LinregionsError(
            f"{network.inputs:,} inputs, {network.units:,} units: the convolutions as matrices "
            f"would take {size / 1e9:,.0f} GB (at most {MATRICES / 1e9:.0f} GB); ask on a plane "
            "(--plane), a segment (--segment) or another bounded slice of at most four "
            f"dimensions, which needs about {max(1, 1e-9 * PUSHED * widest):.0f} GB"
        )


def _pair(pair: Any, i: int) -> tuple[np.ndarray, np.ndarray | None]:
    try:
        weight, bias = pair
        weight = np.asarray(weight, dtype=np.float64)
        bias = None if bias is None else np.asarray(bias, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LinregionsError(f"layer {i + 1} is not a pair (W, b) of numbers: {error}") from None
    if weight.ndim != 2:
        raise LinregionsError(
            f"layer {i + 1}: the weight has shape {weight.shape}; give (units, inputs)"
        )
    if bias is not None and bias.shape != (weight.shape[0],):
        raise LinregionsError(
            f"layer {i + 1}: a bias of shape {bias.shape} for weights of shape {weight.shape}; "
            f"give ({weight.shape[0]},)"
        )
    return weight, bias


def _pack_affine(affine: Affine, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    terms = []
    for term in affine.terms:
        factors = []
        for factor in term.factors:
            key = f"m{len(arrays):05d}"
            if sparse.issparse(factor):
                csr = sparse.csr_array(factor)
                for part in ("data", "indices", "indptr"):
                    arrays[f"{key}_{part}"] = np.asarray(getattr(csr, part))
                factors.append({"csr": key, "shape": list(factor.shape)})
            elif is_rational(factor):
                text = [str(x) for x in factor.ravel()]
                arrays[key] = np.array(text, dtype=np.str_)
                factors.append({"rational": key, "shape": list(factor.shape)})
            else:
                arrays[key] = np.asarray(factor, dtype=np.float64)
                factors.append({"dense": key})
        terms.append({"source": term.source, "factors": factors})
    return {"size": affine.size, "terms": terms}


def _unpack_affine(spec: dict[str, Any], arrays: dict[str, np.ndarray]) -> Affine:
    def factor(f: dict[str, Any]) -> Any:
        if "dense" in f:
            return arrays[f["dense"]]
        if "rational" in f:
            flat = [Fraction(str(x)) for x in arrays[f["rational"]]]
            out = np.empty(len(flat), dtype=object)
            out[:] = flat
            return out.reshape(f["shape"])
        parts = tuple(arrays[f"{f['csr']}_{p}"] for p in ("data", "indices", "indptr"))
        return sparse.csr_array(parts, shape=tuple(f["shape"]))

    terms = tuple(Term(t["source"], tuple(factor(f) for f in t["factors"])) for t in spec["terms"])
    return Affine(spec["size"], terms)


def _pack_units(units: Units) -> dict[str, Any]:
    if isinstance(units, MaxUnits):
        return {"max": [list(g) for g in units.groups], "fan_in": units.fan_in}
    kinds = [
        {
            "breaks": [str(Fraction(t)) for t in k.breaks],
            "slopes": [str(Fraction(s)) for s in k.slopes],
            "value": str(Fraction(k.value)),
            "name": k.name,
        }
        for k in units.kinds
    ]
    return {"kinds": kinds, "which": list(units.which)}


def _unpack_units(spec: dict[str, Any]) -> Units:
    if "max" in spec:
        return MaxUnits(tuple(tuple(g) for g in spec["max"]), spec["fan_in"])

    def number(text: str) -> Any:
        x = Fraction(text)
        if x.denominator == 1:
            return x.numerator
        v = nearest(x)
        return v if np.isfinite(v) and Fraction(v) == x else x

    kinds = tuple(
        Activation(
            tuple(number(t) for t in k["breaks"]),
            tuple(number(s) for s in k["slopes"]),
            number(k["value"]),
            k["name"],
        )
        for k in spec["kinds"]
    )
    return Pointwise(kinds, tuple(spec["which"]))
