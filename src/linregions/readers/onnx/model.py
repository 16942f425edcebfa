"""ONNX models: the walk through a graph.

Every tensor is either a constant (a numpy array) or a `Value` that depends on the input. A
node is first brought to the form of one opset (`versions`). Operators on constants, and
those that only move entries about, are run by the package's reference implementation; the
latter on an array of positions, which gives the exact choice of rows. What is left is affine
or piecewise linear, and stands in the table of `ops`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper, numpy_helper

from ...errors import LinregionsError, UnsupportedNetwork
from ...files import about
from ...network.network import Network
from ..refusals import BROKEN, Refusal, first_line, reading
from ..symbolic.builder import Builder
from ..symbolic.values import (
    Shape,
    Value,
    beside_behind,
    constant,
    ended,
    floats,
    moved_behind,
    stripped,
    words,
)
from .call import FLOAT_TYPES, Call, Tensor, type_name
from .graph import body, needed, ordered, part_of
from .movement import SELECTIONS, selected
from .ops import TABLE
from .refusals import CONTROL, RANDOM, ROUNDING, SEQUENCES, STRINGS, reason
from .versions import CONTRIBUTED, dense_of, modern

SHAPES = words("Shape Size EyeLike")  # they read the shape of a value, and no entry
PASSIVE = words("Identity Cast CastLike Dropout")
AT_THE_END = words("Softmax LogSoftmax Sigmoid ArgMax")
NEVER = RANDOM | CONTROL | SEQUENCES | STRINGS  # not even of constants
STANDARD = ("", "ai.onnx")


def read(path: str | Path, shape: Sequence[int] | None = None) -> Network:
    """Read a piecewise-linear network from an ``.onnx`` file.

    Operators have the meaning of the opset that the file names, from 1 on. A leading
    dimension that is symbolic, 0 or 1 is the batch, and the network is that of one sample.
    Where all dimensions are numbers and the first is above 1, the whole tensor is the input
    vector. With several outputs, the first one is read; of several inputs only one may matter
    to it.

    Parameters
    ----------
    path
        The file. Weights of any float type are converted to float64, which is exact.
    shape
        Shape of one input without the batch dimension, where the file leaves it open.
    """
    with about(path):
        return from_model(_parse(path), shape)


def from_model(model: onnx.ModelProto, shape: Sequence[int] | None = None) -> Network:
    """The network of a model in memory; see `read`."""
    return _Reader(model).network(shape)


def _parse(path: str | Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path))
    except OSError:
        raise
    except Exception as error:  # protobuf's and onnx's many types, for a damaged file
        raise LinregionsError(
            f"not a readable ONNX file, truncated perhaps ({first_line(error)})"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise LinregionsError("the model holds no nodes or no output; the file may be truncated")
    return model


def _opsets(imports: Sequence[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """The version of each domain; files from before opsets were named have none."""
    out = {"" if o.domain in STANDARD else o.domain: o.version for o in imports}
    newest = defs.onnx_opset_version()
    if out.get("", 1) > newest:
        raise UnsupportedNetwork(
            f"the model is of opset {out['']}, and the installed onnx package knows those up to "
            f"{newest}; upgrade it (pip install -U onnx), or export the model with an older one"
        )
    return out


class _Reader:
    """One walk through a model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.opsets = {"": 1, **_opsets(model.opset_import)}
        self.functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self.builder = Builder()

    def network(self, shape: Sequence[int] | None) -> Network:
        first, *others = [o.name for o in self.graph.output]
        known: dict[str, Tensor | None] = dict(_constants(self.graph))
        given = self._input(known, first, shape)
        self._run(self.graph.node, [first], known, self.opsets)
        out = known[first]
        if others:
            self._leave_out(first, others, known)
        value = out if isinstance(out, Value) else constant(floats(out, f"output {first!r}"))
        return self.builder.network(given.size, value)

    def _leave_out(self, first: str, others: list[str], known: Mapping[str, Any]) -> None:
        names = ", ".join(repr(o) for o in others)
        text = f"the network is that of output {first!r}; not read: {names}"
        self.builder.note(text)
        if any(o not in known for o in others):  # they hold units of their own, perhaps
            warnings.warn(text, stacklevel=4)

    # -- input ------------------------------------------------------------------------

    def _input(self, known: dict[str, Any], output: str, shape: Sequence[int] | None) -> Value:
        declared = [i for i in self.graph.input if i.name not in known]
        _, read = needed(self.graph.node, [output])
        inputs = [i for i in declared if i.name in read] if len(declared) > 1 else declared
        if len(inputs) != 1:
            names = ", ".join(repr(i.name) for i in inputs or declared) or "none"
            raise UnsupportedNetwork(
                f"the model has {len(inputs or declared)} inputs ({names}); only one is supported: "
                "export the model with its inputs joined into one"
            )
        if len(declared) > 1:
            idle = ", ".join(repr(i.name) for i in declared if i.name not in read)
            self.builder.note(f"inputs that output {output!r} does not depend on: {idle}")
        name, kind = inputs[0].name, inputs[0].type.tensor_type
        if kind.elem_type not in FLOAT_TYPES:
            what = type_name(kind.elem_type)
            raise UnsupportedNetwork(
                f"input '{name}' has type {what}; a network reads floats: cut the model behind its "
                "cast"
            )
        value = self.builder.input(self._declared(name, kind, shape))
        known[name] = value
        return value

    def _declared(self, name: str, kind: Any, given: Sequence[int] | None) -> Shape:
        dims = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
        remedy = "give shape=, the sizes of one input without the batch dimension"
        if given is not None:
            whole = tuple(given) if len(given) == len(dims) else (1, *given)
            fits = all(not d or d == w for d, w in zip(dims, whole, strict=False))
            if kind.HasField("shape") and not (fits and len(dims) == len(whole)):
                raise LinregionsError(f"shape={given} does not fit input '{name}' of shape {dims}")
            return whole
        if not kind.HasField("shape"):
            raise LinregionsError(f"input '{name}' has no shape; {remedy}")
        if dims and not dims[0] and len(dims) > 1:
            dims[0] = 1
        sizes = [d for d in dims if d]
        if len(sizes) < len(dims):
            shown = [d.dim_param or d.dim_value or "?" for d in kind.shape.dim]
            raise LinregionsError(f"input '{name}' has the open shape {shown}; {remedy}")
        return tuple(sizes)

    # -- graphs -----------------------------------------------------------------------

    def _run(
        self,
        nodes: Sequence[onnx.NodeProto],
        targets: Sequence[str],
        known: dict[str, Any],
        opsets: Mapping[str, int],
        inside: str = "",
    ) -> None:
        """Run the nodes that the targets need; results are added to ``known``."""
        for node in ordered(nodes, targets, known):
            domain = "" if node.domain in STANDARD else node.domain
            part = part_of(node, opsets.get(domain, 1), inside)
            with reading(part):
                if missing := [n for n in node.input if n and n not in known]:
                    raise UnsupportedNetwork(
                        f"it reads '{missing[0]}', a side output of a node, which is not read; use "
                        "the first output alone"
                    )
                arguments = [known[n] if n else None for n in node.input]
                results = self._results(node, part, arguments, known, opsets)
            made = zip(node.output, results, strict=False)
            known.update({name: r for name, r in made if name})

    def _results(
        self,
        node: onnx.NodeProto,
        part: Refusal,
        arguments: list[Tensor | None],
        known: Mapping[str, Any],
        opsets: Mapping[str, int],
    ) -> Sequence[Tensor | None]:
        domain = "" if node.domain in STANDARD else node.domain
        function = self.functions.get((node.domain, node.op_type, node.overload))
        if function is not None:
            return self._function(function, node, part, arguments)
        if domain and (domain, node.op_type) not in CONTRIBUTED:
            raise UnsupportedNetwork(
                f"operators of '{domain}' are not read; save the model with operators of ONNX "
                "alone, before a runtime optimises it"
            )
        if node.op_type == "If" and not domain:
            return self._branch(node, part, arguments, known, opsets)
        if node.op_type in NEVER and not domain:
            raise UnsupportedNetwork(reason(node.op_type))
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        opset = opsets.get(domain, 1)
        names = (self.builder, node.op_type, domain, opset, part, arguments, list(node.input))
        return modern(Call(*names, attributes, list(node.output)), self._read)

    def _branch(
        self,
        node: onnx.NodeProto,
        part: Refusal,
        arguments: list[Tensor | None],
        known: Mapping[str, Any],
        opsets: Mapping[str, int],
    ) -> list[Any]:
        """If with a condition that is known while the model is read."""
        condition = arguments[0]
        if condition is None or isinstance(condition, Value):
            raise UnsupportedNetwork(
                "a branch that depends on the input may jump; write it with Max, Min or Where"
            )
        wanted = "then_branch" if np.all(condition) else "else_branch"
        graph = next(a.g for a in node.attribute if a.name == wanted)
        inner = {**known, **_constants(graph)}
        targets = [o.name for o in graph.output]
        self._run(graph.node, targets, inner, opsets, f"{part.name}/")
        self.builder.note(f"{part}: its {wanted.replace('_', ' ')} alone, by a constant condition")
        return [inner[t] for t in targets]

    def _function(
        self,
        function: onnx.FunctionProto,
        node: onnx.NodeProto,
        part: Refusal,
        arguments: list[Tensor | None],
    ) -> list[Any]:
        """A function that the model defines: its body, with the opsets that it names."""
        if part.name.count("/") > 50:
            raise LinregionsError("functions call each other without an end")
        padded = [*arguments, *[None] * (len(function.input) - len(arguments))]
        inner: dict[str, Any] = dict(zip(function.input, padded, strict=False))
        opsets = {**self.opsets, **_opsets(function.opset_import)}
        targets = list(function.output)[: len(node.output)]
        self._run(body(function, node), targets, inner, opsets, f"{part.name}/")
        return [inner[t] for t in targets]

    # -- one node, in the form of one opset ---------------------------------------------

    def _read(self, c: Call) -> Sequence[Tensor]:
        values = c.values()
        if c.op in SHAPES and values:
            return c.reference([np.zeros(values[0].now, np.float32)])
        if not values:
            return self._fold(c)
        if any(v.dropped for v in values) and c.op in SELECTIONS | PASSIVE | {"Concat"}:
            return self._behind(c, values)
        if c.op in AT_THE_END and len(values) == 1:
            (like, *_) = c.reference([np.zeros(values[0].now, np.float32)])
            return [ended(values[0], str(c.label), like.shape)]
        for value in values:
            stripped(value)
        if c.op in SELECTIONS:
            self.builder.compiled[c.op] += 1
            return selected(c)
        if c.op not in TABLE:
            raise UnsupportedNetwork(reason(c.op))
        before = len(self.builder.layers)
        out = TABLE[c.op](c)
        self.builder.count(c.op, before)
        return [out]

    def _behind(self, c: Call, values: list[Value]) -> Sequence[Tensor]:
        """Moves of entries behind a function that is dropped at the output."""
        if c.op == "Concat":
            return [beside_behind([c.value(i) for i in range(len(c.arguments))])]
        value, *rest = c.arguments
        if len(values) > 1 or not isinstance(value, Value):
            stripped(next(v for v in values if v.dropped))
        assert isinstance(value, Value)
        if c.op in PASSIVE:
            return [value]
        grid = np.arange(int(np.prod(value.now))).reshape(value.now)
        return moved_behind(value, c.reference([grid, *rest]), grid)

    def _fold(self, c: Call) -> Sequence[Tensor]:
        """A node on constants, in the precision of the file."""
        if c.op == "Dropout" and c.argument(2) is not None and np.any(c.numbers(2)):
            raise UnsupportedNetwork("in training mode it is random; export for inference")
        results = c.reference()
        if c.op in ROUNDING and any(np.asarray(r).dtype.kind == "f" for r in results):
            self.builder.rounding(f"{c.label}: constants combined once, in {results[0].dtype}")
        return results


@contextmanager
def _initializer(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # wrong sizes, unknown types: several exception types
        raise LinregionsError(
            f"initializer '{name}' cannot be read ({first_line(error)}); {BROKEN}"
        ) from error


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The weights of a graph, by name."""
    out = {}
    for tensor in graph.initializer:
        with _initializer(tensor.name):
            out[tensor.name] = numpy_helper.to_array(tensor)
    for tensor in graph.sparse_initializer:
        with _initializer(tensor.values.name):
            out[tensor.values.name] = dense_of(tensor)
    return out
