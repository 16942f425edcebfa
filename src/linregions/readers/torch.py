"""Torch modules: a direct walk of ``nn.Sequential``, else the flat graph of ``torch.export``.

This file, `torch_ops` and `torch_modules` import torch (an optional package);
`linregions.load` reaches them only with a torch module in hand. Modules are read as at
inference, and left in their own mode.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..errors import LinregionsError, UnsupportedNetwork
from ..network import Network
from .builder import Builder
from .torch_modules import AT_THE_END, CURVED, LEAVES, PASSIVE
from .torch_ops import OPERATORS, Positions, moved, weights
from .values import Shape, Value, constant, stripped, words


def read(module: nn.Module, shape: Sequence[int] | None = None) -> Network:
    """Read a torch module as it is at inference.

    Parameters
    ----------
    module
        Made of linear and convolutional layers, pooling, batch normalisation,
        piecewise-linear activations, residual sums, reshapes and slices. Weights of any
        float type are converted to float64, which is exact; numbers written in Python code
        are read as float64.
    shape
        Shape of one input without the batch dimension; without it, the input of the first
        `torch.nn.Linear` is taken.
    """
    given = shape is not None
    size = tuple(shape) if shape is not None else _guess(module)
    with _inference(module), torch.no_grad():
        leaves = _leaves(module, "")
        if leaves is not None:
            return _walk(leaves, (1, *size))
        return _Exported(module, (1, *size), given).network()


WINDOWED = ("Conv", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "BatchNorm2d")


def _guess(module: nn.Module) -> Shape:
    linear = next((m for m in module.modules() if isinstance(m, nn.Linear)), None)
    windows = any(type(m).__name__.startswith(WINDOWED) for m in module.modules())
    if windows or linear is None or linear.in_features < 1:
        raise LinregionsError(
            f"{type(module).__name__}: the input shape is not known; give shape=, as "
            f"{'(3, 32, 32)' if windows else '(784,)'}"
        )
    return (linear.in_features,)


@contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, nothing in place (so that no graph has to be decomposed); restored."""
    modes = [(m, m.training, getattr(m, "inplace", None)) for m in module.modules()]
    module.eval()
    for m, _, inplace in modes:
        if inplace is True:
            m.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for m, training, inplace in modes:
            m.training = training
            if inplace is True:
                m.inplace = True  # type: ignore[assignment]


# -- nn.Sequential ------------------------------------------------------------------------

Leaf = tuple[str, nn.Module]


def _leaves(module: nn.Module, name: str) -> list[Leaf] | None:
    """Named modules in the order of evaluation; None where code has to be traced."""
    if type(module).forward is nn.Sequential.forward:
        out: list[Leaf] = []
        for child, part in module._modules.items():  # named_children() skips repeated ones
            inner = None if part is None else _leaves(part, f"{name}.{child}" if name else child)
            if inner is None:
                return None
            out += inner
        return out
    if _kind(module) or type(module).__module__.startswith("torch.nn."):
        return [(name or type(module).__name__, module)]
    return None


def _kind(module: nn.Module) -> Any:
    """The known class that a module is of; one that computes something else is none of it."""
    for kind in LEAVES:
        if isinstance(module, kind) and type(module).forward is kind.forward:
            return kind
    return None


def _walk(leaves: list[Leaf], shape: Shape) -> Network:
    builder = Builder()
    value = given = builder.input(shape)
    for name, module in leaves:
        label = f"module '{name}' ({type(module).__name__})"
        kind = _kind(module)
        if isinstance(module, AT_THE_END):
            value = Value(value.shape, value.addends, (*value.dropped, label))
            continue
        if kind is None:
            reason = "not piecewise linear" if isinstance(module, CURVED) else "not supported yet"
            raise UnsupportedNetwork(f"{label}: {reason}")
        if not isinstance(module, PASSIVE):
            value = stripped(value)
        try:
            before = len(builder.layers)
            value = LEAVES[kind](builder, value, module, label)
            builder.count(type(module).__name__, before)
        except (ValueError, IndexError, RuntimeError) as error:
            text = str(error)
            if isinstance(error, LinregionsError) and text.startswith("module '"):
                raise
            if isinstance(error, UnsupportedNetwork):
                raise UnsupportedNetwork(f"{label}: {text}") from error
            raise LinregionsError(
                f"{label}: does not fit a value of shape {value.shape[1:]} ({error}); give "
                "shape=, the sizes of one input without the batch dimension"
            ) from error
    return builder.network(given.size, value)


# -- torch.export -------------------------------------------------------------------------

MOVES = words(
    "view reshape flatten unflatten permute transpose t squeeze unsqueeze select slice narrow "
    "split split_with_sizes chunk unbind expand expand_as repeat index_select flip roll "
    "movedim view_as reshape_as _unsafe_view clone contiguous alias detach lift_fresh_copy "
    "dropout feature_dropout alpha_dropout index pixel_shuffle pixel_unshuffle channel_shuffle "
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d reflection_pad1d reflection_pad2d "
    "reflection_pad3d replication_pad1d replication_pad2d replication_pad3d"
)
ENDS = words("softmax log_softmax _softmax _log_softmax sigmoid log_sigmoid argmax")
BENDS = words(
    "sigmoid tanh gelu silu elu selu celu softplus softsign mish hardswish exp log sqrt rsqrt pow "
    "softmax log_softmax layer_norm native_layer_norm group_norm reciprocal erf sin cos "
    "scaled_dot_product_attention log_sigmoid"
)
ROUNDING = words("add sub rsub mul div matmul mm addmm linear sum mean")


class _Exported:
    """One walk through the flat graph of an exported module."""

    def __init__(self, module: nn.Module, shape: Shape, given: bool) -> None:
        sample = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
        self.module, self.shape = module, shape
        try:
            example = torch.zeros(shape, dtype=sample.dtype, device=sample.device)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns about its own insides
                program = torch.export.export(module, (example,))
                if any(_operator(n).endswith("_") for n in program.graph.nodes):
                    program = program.run_decompositions({})  # nothing in place any more
        except Exception as error:  # whatever the module's own code raises
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            hint = "" if given else "; give shape=, the sizes of one input without the batch"
            raise UnsupportedNetwork(
                f"{type(module).__name__}: torch.export fails on an input of shape {shape} "
                f"({first}){hint}"
            ) from error
        self.program = program
        self.builder = Builder()
        self.known: dict[Any, Any] = {}

    def network(self) -> Network:
        values = {**dict(self.program.state_dict), **dict(self.program.constants)}
        targets = {
            s.arg.name: s.target
            for s in self.program.graph_signature.input_specs
            if s.target is not None and hasattr(s.arg, "name")
        }
        given = self.builder.input(self.shape)
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                target = targets.get(node.name)
                self.known[node] = given if target is None else values[target]
            elif node.op == "call_function":
                self.known[node] = self._call(node)
            elif node.op == "output":
                return self._finish(given, node)
        raise UnsupportedNetwork(f"{type(self.module).__name__}: the module gives no output")

    def _finish(self, given: Value, node: Any) -> Network:
        names = list(self.program.graph_signature.user_outputs)
        results = [a for a in node.args[0] if getattr(a, "name", None) in names]
        out = self.known.get(results[0]) if len(results) == 1 else None
        if isinstance(out, torch.Tensor):
            out = constant(weights(out, "the output"))
        if not isinstance(out, Value):
            raise UnsupportedNetwork(
                f"{type(self.module).__name__}: the module gives {len(names)} outputs; one "
                "tensor is expected"
            )
        return self.builder.network(given.size, out)

    def _call(self, node: Any) -> Any:
        label = f"operator '{node.name}' ({_operator(node)})"
        args = torch.fx.map_arg(node.args, self.known.__getitem__)
        kwargs = torch.fx.map_arg(node.kwargs, self.known.__getitem__)
        values = list(_values((*args, *kwargs.values())))
        try:
            if any(isinstance(a, Positions) for a in args):
                raise UnsupportedNetwork("it reads the positions of maxima, which jump")
            if node.target is operator.getitem:
                return args[0][args[1]]
            if not values:
                return self._fold(node, label, args, kwargs)
            return self._apply(node, label, values, args, kwargs)
        except LinregionsError as error:
            text = str(error)
            named = text.startswith(("operator '", "module '"))
            raise type(error)(text if named else f"{label}: {text}") from error
        except Exception as error:  # shapes that do not fit, in numpy or torch
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise UnsupportedNetwork(f"{label}: cannot be read ({first})") from error

    def _fold(self, node: Any, label: str, args: Any, kwargs: Any) -> Any:
        if "rand" in _operator(node) or "bernoulli" in _operator(node):
            raise UnsupportedNetwork("random numbers are not supported")
        out = node.target(*args, **kwargs)
        if _operator(node) in ROUNDING and isinstance(out, torch.Tensor):
            self.builder.rounding(f"{label}: constants combined once, in {out.dtype}")
        return out

    def _apply(self, node: Any, label: str, values: list[Value], args: Any, kwargs: Any) -> Any:
        op = _operator(node)
        first = values[0]
        if op in ENDS and len(values) == 1:
            return Value(first.shape, first.addends, (*first.dropped, label))
        if first.dropped and op in MOVES:
            return first
        for value in values:
            stripped(value)
        named = _named(node.target, args, kwargs)
        if op.endswith("dropout"):
            self.builder.note(f"{label}: identity at inference")
            return first
        if op in MOVES:
            if args[0] is not first or len(values) > 1:
                raise UnsupportedNetwork("a choice of entries that depends on the input")
            self.builder.count(op, len(self.builder.layers))
            return moved(first, lambda grid: node.target(grid, *args[1:], **kwargs))
        if op not in OPERATORS:
            raise UnsupportedNetwork("not piecewise linear" if op in BENDS else "not supported yet")
        before = len(self.builder.layers)
        out = OPERATORS[op](self.builder, label, named)
        self.builder.count(op, before)
        return out


def _operator(node: Any) -> str:
    packet = getattr(node.target, "overloadpacket", None)
    if packet is not None:
        return packet.__name__ if node.op == "call_function" else ""
    return getattr(node.target, "__name__", "")


def _values(tree: Any) -> Iterator[Value]:
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from _values(part)


def _named(target: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Arguments by the names of the operator's schema, defaults included."""
    names = [a.name for a in target._schema.arguments]
    defaults = {a.name: a.default_value for a in target._schema.arguments}
    return {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
