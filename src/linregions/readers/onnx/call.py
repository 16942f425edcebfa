"""One ONNX node on its way through the reader, with the questions that operators ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper

from ...errors import LinregionsError, UnsupportedNetwork
from ..refusals import Refusal
from ..symbolic.builder import Builder
from ..symbolic.values import Value, constant, floats

Tensor = Value | np.ndarray
FLOAT_TYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.BFLOAT16: "bfloat16",
}
# Every node is brought to this opset before it is read (see `versions`); the oldest
# version of the package that is supported knows it.
MODERN = 21


def type_name(kind: int) -> str:
    """Name of an element type."""
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return names.get(kind, f"number {kind}, which is none")


def schema_of(op: str, opset: int) -> defs.OpSchema | None:
    """What the standard says of an operator in an opset; None where it does not know it."""
    try:
        return defs.get_schema(op, max_inclusive_version=opset, domain="")
    except defs.SchemaError:
        return None


def default_of(attribute: defs.OpSchema.Attribute) -> Any:
    """The default of an attribute in a schema, None where there is none."""
    proto = attribute.default_value
    return helper.get_attribute_value(proto) if proto.name else None


@dataclass
class Call:
    """A node with its arguments.

    Parameters
    ----------
    builder
        The network so far.
    op, domain, opset
        What it computes, and by the meaning of which opset.
    label
        How messages name it.
    arguments
        Constants as arrays, what depends on the input as `Value` s, None where left out.
    names
        Of the arguments in the file.
    attributes
        As Python values.
    outputs
        Names, empty where nothing reads them.
    """

    builder: Builder
    op: str
    domain: str
    opset: int
    label: Refusal
    arguments: list[Tensor | None]
    names: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, the standard's default, or the given one."""
        if name in self.attributes:
            return self.attributes[name]
        schema = schema_of(self.op, self.opset)
        known = schema.attributes.get(name) if schema is not None else None
        standard = default_of(known) if known is not None else None
        return default if standard is None else standard

    def argument(self, i: int) -> Tensor | None:
        return self.arguments[i] if i < len(self.arguments) else None

    def given(self, i: int) -> Tensor:
        out = self.argument(i)
        if out is None:
            raise LinregionsError(f"argument {i} is missing")
        return out

    def value(self, i: int = 0) -> Value:
        """An argument as a value, constants included."""
        out = self.given(i)
        return out if isinstance(out, Value) else constant(self.numbers(i))

    def numbers(self, i: int) -> np.ndarray:
        """A constant argument in float64."""
        name = self.names[i]
        out = self.given(i)
        if isinstance(out, Value):
            raise UnsupportedNetwork(f"'{name}' depends on the input; it must be a constant")
        array = floats(out, f"'{name}'")
        if not np.isfinite(array).all():
            raise LinregionsError(f"'{name}' holds NaN or infinite values; repair the weights")
        return array

    def text(self, name: str, default: str = "") -> str:
        """An attribute that is a word."""
        out = self.attribute(name, default)
        return out.decode() if isinstance(out, bytes) else out

    def whole(self, i: int) -> list[int]:
        """A constant argument of whole numbers."""
        return [int(x) for x in self.numbers(i).ravel().tolist()]

    def values(self) -> list[Value]:
        """The arguments that depend on the input."""
        return [a for a in self.arguments if isinstance(a, Value)]

    # -- changes, for the table of versions ---------------------------------------------

    def with_arguments(self, changed: dict[int, Tensor | None]) -> Call:
        """The call with some arguments exchanged or added."""
        size = max(len(self.arguments), *(i + 1 for i in changed)) if changed else 0
        arguments = [*self.arguments, *[None] * (size - len(self.arguments))]
        names = [*self.names, *[""] * (size - len(self.names))]
        for i, tensor in changed.items():
            arguments[i] = tensor
            names[i] = "" if tensor is None else names[i] or f"{self.label.name} argument {i}"
        return replace(self, arguments=arguments, names=names)

    def pop(self, name: str, default: Any = None) -> Any:
        """An attribute, which the call then no longer has."""
        out = self.attribute(name, default)
        self.attributes = {k: v for k, v in self.attributes.items() if k != name}
        return out

    def reference(self, arguments: Sequence[Tensor | None] | None = None) -> list[np.ndarray]:
        """The operator on arrays, by the reference implementation of the package."""
        from onnx.reference import ReferenceEvaluator

        given = self.arguments if arguments is None else arguments
        names = [f"a{i}" if a is not None else "" for i, a in enumerate(given)]
        outputs = [f"o{i}" if o else "" for i, o in enumerate(self.outputs)]
        node = helper.make_node(self.op, names, outputs, **self.attributes)
        unknown = onnx.TypeProto()
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_value_info(n, unknown) for n in names if n],
            [helper.make_value_info(o, unknown) for o in outputs if o],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        feeds = {n: a for n, a in zip(names, given, strict=True) if n}
        results = iter(ReferenceEvaluator(model).run(None, feeds))
        return [np.asarray(next(results)) if o else np.empty(0) for o in outputs]
