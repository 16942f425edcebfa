"""ONNX models: the walk through a graph.

Every tensor is either a constant (a numpy array) or a `Value` that depends on the input.
Operators on constants, and those that only move entries about, are run by the package's
reference implementation; the latter on an array of positions, which gives the exact choice
of rows. What is left is affine or piecewise linear, and stands in the table of `onnx_ops`.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import LinregionsError, UnsupportedNetwork
from ..network import Network
from .builder import Builder
from .onnx_call import FLOAT_TYPES, Call, Tensor, type_name
from .onnx_ops import TABLE
from .values import Shape, Value, about, constant, floats, stripped, words

SELECTIONS = words(
    "Reshape Flatten Transpose Squeeze Unsqueeze Slice Gather GatherElements GatherND Split "
    "Expand Tile DepthToSpace SpaceToDepth"
)
PASSIVE = words("Identity Cast Dropout Reshape Flatten Squeeze Unsqueeze")
AT_THE_END = words("Softmax LogSoftmax Sigmoid ArgMax")
CURVED = words(
    "Sigmoid Tanh Softmax LogSoftmax Hardmax Softplus Softsign Elu Selu Celu Gelu Mish Swish "
    "HardSwish Erf Exp Log Sqrt Reciprocal Pow Sin Cos Tan LayerNormalization "
    "InstanceNormalization GroupNormalization RMSNormalization LpNormalization LRN Attention "
    "ReduceL2 ReduceProd ReduceLogSumExp LSTM GRU RNN"
)
JUMPS = words(
    "Sign Floor Ceil Round Greater Less GreaterOrEqual LessOrEqual Equal ArgMax ArgMin TopK Mod "
    "Not And Or"
)
ROUNDING = words("Add Sub Mul Div MatMul Gemm Sum Pow Sqrt Exp Reciprocal Sigmoid Tanh")


def read(path: str | Path, shape: Sequence[int] | None = None) -> Network:
    """Read a piecewise-linear network from an ``.onnx`` file.

    A leading dimension that is symbolic, 0 or 1 is the batch, and the network is that of one
    sample. Where all dimensions are numbers and the first is above 1, the whole tensor is the
    input vector. With several outputs, the first one is read.

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
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise LinregionsError(f"not a readable ONNX file, truncated perhaps ({first})") from error
    if not model.graph.node or not model.graph.output:
        raise LinregionsError("the model holds no nodes or no output; the file may be truncated")
    return model


def _label(node: onnx.NodeProto) -> str:
    name = node.name or next((o for o in node.output if o), "without a name")
    return f"node '{name}' ({node.op_type})"


class _Reader:
    """One walk through a graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.graph = model, model.graph
        self.builder = Builder()
        self.known: dict[str, Tensor] = {}

    def network(self, shape: Sequence[int] | None) -> Network:
        self._constants()
        given = self._input(shape)
        inputs = given.size
        outputs = [o.name for o in self.graph.output]
        for node in self._order(outputs[0]):
            self._run(node)
        out = self.known[outputs[0]]
        if len(outputs) > 1:
            self._leave_out(outputs[0], outputs[1:])
        value = out if isinstance(out, Value) else constant(floats(out, f"output {outputs[0]!r}"))
        return self.builder.network(inputs, value)

    def _leave_out(self, first: str, others: list[str]) -> None:
        names = ", ".join(repr(o) for o in others)
        text = f"the network is that of output {first!r}; not read: {names}"
        self.builder.note(text)
        if any(o not in self.known for o in others):  # they hold units of their own, perhaps
            warnings.warn(text, stacklevel=4)

    def _constants(self) -> None:
        if self.graph.sparse_initializer:
            raise UnsupportedNetwork("sparse initializers are not supported; store them dense")
        for tensor in self.graph.initializer:
            try:
                self.known[tensor.name] = numpy_helper.to_array(tensor)
            except Exception as error:  # wrong sizes, unknown types: several exception types
                raise LinregionsError(
                    f"initializer '{tensor.name}' cannot be read ({error})"
                ) from error

    def _input(self, shape: Sequence[int] | None) -> Value:
        inputs = [i for i in self.graph.input if i.name not in self.known]
        if len(inputs) != 1:
            names = ", ".join(repr(i.name) for i in inputs) or "none"
            raise UnsupportedNetwork(
                f"the model has {len(inputs)} inputs ({names}); only one is supported: export the "
                "model with its inputs joined into one"
            )
        name, kind = inputs[0].name, inputs[0].type.tensor_type
        if kind.elem_type not in FLOAT_TYPES:
            what = type_name(kind.elem_type)
            raise UnsupportedNetwork(f"input '{name}' has type {what}; a network reads floats")
        value = self.builder.input(self._declared(name, kind, shape))
        self.known[name] = value
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

    # -- order ------------------------------------------------------------------------

    def _order(self, target: str) -> list[onnx.NodeProto]:
        """The nodes that the target needs, each after what it reads, else as in the file."""
        nodes = list(self.graph.node)
        maker = {o: i for i, n in enumerate(nodes) for o in n.output if o}
        if target not in maker and target not in self.known:
            raise LinregionsError(f"output '{target}' is made by no node; the file is damaged")
        needed: set[int] = set()
        stack = [maker[target]] if target in maker else []
        waits: dict[int, set[int]] = {}
        readers: dict[int, list[int]] = {}
        while stack:
            i = stack.pop()
            if i in needed:
                continue
            needed.add(i)
            waits[i] = set()
            for name in (n for n in nodes[i].input if n and n not in self.known):
                if name not in maker:
                    raise LinregionsError(
                        f"{_label(nodes[i])} reads '{name}', which no node, initializer or input "
                        "provides; the file may be truncated"
                    )
                waits[i].add(maker[name])
                readers.setdefault(maker[name], []).append(i)
            stack += waits[i]
        ready = [i for i in sorted(needed) if not waits[i]]
        order = []
        while ready:
            i = heapq.heappop(ready)
            order.append(nodes[i])
            for j in dict.fromkeys(readers.get(i, [])):
                waits[j].discard(i)
                if not waits[j]:
                    heapq.heappush(ready, j)
        if len(order) < len(needed):
            raise LinregionsError("the nodes of the graph form a cycle")
        return order

    # -- one node ---------------------------------------------------------------------

    def _run(self, node: onnx.NodeProto) -> None:
        label = _label(node)
        if node.domain not in ("", "ai.onnx"):
            raise UnsupportedNetwork(f"{label}: operators of '{node.domain}' are not supported")
        if missing := [n for n in node.input if n and n not in self.known]:
            raise UnsupportedNetwork(f"{label} reads '{missing[0]}', a side output of a node")
        arguments = [self.known[n] if n else None for n in node.input]
        try:
            results = self._results(node, label, arguments)
        except LinregionsError as error:
            text = str(error)
            raise type(error)(text if text.startswith("node '") else f"{label}: {text}") from error
        except Exception as error:  # shapes that do not fit, in numpy or the reference
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise UnsupportedNetwork(f"{label}: cannot be read ({first})") from error
        self.known.update({name: r for name, r in zip(node.output, results, strict=False) if name})

    def _results(
        self, node: onnx.NodeProto, label: str, arguments: list[Tensor | None]
    ) -> Sequence[Tensor]:
        op = node.op_type
        values = [a for a in arguments if isinstance(a, Value)]
        if op == "Shape" and values:
            whole = np.empty(stripped(values[0], label).shape, np.bool_)
            return self._reference(node, [whole])
        if not values:
            return self._fold(node, label, arguments)
        if values[0].dropped and len(values) == 1 and op in PASSIVE:
            return [values[0]]
        if op in AT_THE_END and len(values) == 1:
            return [Value(values[0].shape, values[0].addends, (*values[0].dropped, label))]
        for value in values:
            stripped(value, label)
        if op in SELECTIONS:
            self.builder.compiled[op] += 1
            return self._select(node, arguments)
        if op not in TABLE:
            raise UnsupportedNetwork(_refusal(op))
        version = max((o.version for o in self.model.opset_import if not o.domain), default=1)
        before = len(self.builder.layers)
        out = TABLE[op](Call(self.builder, node, label, arguments, version))
        self.builder.count(op, before)
        return [out]

    def _select(self, node: onnx.NodeProto, arguments: list[Tensor | None]) -> list[Tensor]:
        value, *rest = arguments
        if not isinstance(value, Value) or any(isinstance(r, Value) for r in rest):
            raise UnsupportedNetwork("a choice of entries that depends on the input")
        return [value.select(np.asarray(g)) for g in self._reference(node, [value.grid(), *rest])]

    def _fold(
        self, node: onnx.NodeProto, label: str, arguments: list[Tensor | None]
    ) -> Sequence[Tensor]:
        """A node on constants, in the precision of the file."""
        op = node.op_type
        graphs = [a for a in node.attribute if a.type in (a.GRAPH, a.GRAPHS)]
        if graphs or op.startswith("Random") or op in ("Bernoulli", "Multinomial", "Dropout"):
            raise UnsupportedNetwork("random numbers and control flow are not supported")
        results = self._reference(node, arguments)
        if op in ROUNDING and any(np.asarray(r).dtype.kind == "f" for r in results):
            self.builder.rounding(f"{label}: constants combined once, in {results[0].dtype}")
        return results

    def _reference(self, node: onnx.NodeProto, arguments: list[Any]) -> list[np.ndarray]:
        from onnx.reference import ReferenceEvaluator

        used = {n: a for n, a in zip(node.input, arguments, strict=False) if n}
        unknown = onnx.TypeProto()
        graph = onnx.helper.make_graph(
            [node],
            "one",
            [onnx.helper.make_value_info(n, unknown) for n in used],
            [onnx.helper.make_value_info(o, unknown) for o in node.output if o],
        )
        model = onnx.helper.make_model(graph, opset_imports=list(self.model.opset_import))
        results = iter(ReferenceEvaluator(model).run(None, used))
        return [np.asarray(next(results)) if o else np.empty(0) for o in node.output]


def _refusal(op: str) -> str:
    if op in CURVED:
        return f"{op} is not piecewise linear"
    if op in JUMPS:
        return f"{op} is not a continuous piecewise-linear function"
    return (
        "not supported yet; known are dense and convolutional layers, pooling, piecewise-linear "
        "functions, sums, maxima, and whatever moves entries about: rewrite the model with these"
    )
