"""Torch modules: a direct walk of ``nn.Sequential``, else the flat graph of ``torch.export``.

This file, `ops` and `modules` import torch (an optional package);
`linregions.load` reaches them only with a torch module in hand. Modules are read as at
inference, and left in their own mode.
"""

from __future__ import annotations

import io
import logging
import operator
import re
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.network import Network
from ..refusals import CURVED, Refusal, first_line, reading
from ..symbolic.builder import Builder
from ..symbolic.values import (
    Shape,
    Value,
    beside_behind,
    constant,
    ended,
    moved_behind,
    stripped,
    words,
)
from .modules import AT_THE_END, CURVED_NAMES, LEAVES, PASSIVE, curved
from .ops import OPERATORS, Positions, moved, weights

VERSION = f"torch {torch.__version__.split('+')[0]}"


def read_any(source: Any, shape: Sequence[int] | None = None) -> Network:
    """A module, or a program of ``torch.export``."""
    if isinstance(source, torch.export.ExportedProgram):
        return read_program(source, shape)
    return read(source, shape)


def read(module: nn.Module, shape: Sequence[int] | None = None) -> Network:
    """Read a torch module as it is at inference.

    Parameters
    ----------
    module
        Made of linear and convolutional layers, pooling, batch normalisation,
        piecewise-linear activations, residual sums, reshapes and slices. Weights of any
        float type are converted to float64, which is exact; numbers written in Python code
        are read as float64. ``torch.compile`` and data-parallel wrappers are looked through;
        a TorchScript module is converted by torch.
    shape
        Shape of one input without the batch dimension; without it, the input of the first
        `torch.nn.Linear` is taken.
    """
    module = unwrapped(module)
    given = shape is not None
    size = tuple(shape) if shape is not None else _guess(module)
    with _inference(module), torch.no_grad():
        leaves = _leaves(module, "")
        if leaves is not None:
            return _walk(leaves, (1, *size))
        program = _exported(module, (1, *size), given)
        return _Exported(program, type(module).__name__, (1, *size)).network()


def read_program(program: Any, shape: Sequence[int] | None = None) -> Network:
    """Read a program of ``torch.export``, which knows the shape of its input."""
    specs = program.graph_signature.user_inputs
    nodes = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}
    if len(specs) != 1 or not hasattr(nodes.get(specs[0]), "meta"):
        raise UnsupportedNetwork(
            f"the program has {len(specs)} inputs; only one is supported: export a module that "
            "takes one tensor"
        )
    sizes = tuple(nodes[specs[0]].meta["val"].shape)
    whole = tuple(d if isinstance(d, int) else 1 for d in sizes)
    if shape is not None and tuple(shape) not in (whole, whole[1:]):
        raise LinregionsError(
            f"shape={tuple(shape)} does not fit the program's input of shape {whole}"
        )
    with torch.no_grad():
        return _Exported(_flat(program), "program", whole).network()


WINDOWED = ("Conv", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "BatchNorm2d")


def _guess(module: nn.Module) -> Shape:
    names = [(_class(m), m) for m in module.modules()]
    linear = next((m for name, m in names if name == "Linear" or isinstance(m, nn.Linear)), None)
    windows = any(name.startswith(WINDOWED) for name, _ in names)
    width = 0 if linear is None else int(torch.as_tensor(linear.weight).shape[-1])
    if windows or width < 1:
        raise LinregionsError(
            f"{_class(module)}: the input shape is not known; give shape=, as "
            f"{'(3, 32, 32)' if windows else '(784,)'}"
        )
    return (width,)


def _class(module: nn.Module) -> str:
    """Name of a module's class, also where TorchScript has compiled it."""
    return getattr(module, "original_name", type(module).__name__)


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
    module = unwrapped(module)
    if isinstance(module, torch.jit.ScriptModule):
        return None
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
        part = Refusal("module", name, type(module).__name__, VERSION)
        fits = f"a value of shape {value.now[1:]} arrives; give shape=, the sizes of one input"
        with reading(part, fits if _kind(module) else ""):
            value = _leaf(builder, module, value, part)
    return builder.network(given.size, value)


def _leaf(builder: Builder, module: nn.Module, value: Value, part: Refusal) -> Value:
    kind = _kind(module)
    if isinstance(module, AT_THE_END):
        return ended(value, str(part))
    if kind is None:
        raise UnsupportedNetwork(curved(module) or "not supported yet")
    if isinstance(module, PASSIVE) and value.dropped:
        grid = np.arange(int(np.prod(value.now))).reshape(value.now)
        moved = module(torch.from_numpy(grid).double()).numpy().astype(np.int64)
        return moved_behind(value, [moved], grid)[0]
    before = len(builder.layers)
    try:
        out = LEAVES[kind](builder, stripped(value), module, part)
    except (LinregionsError, ArithmeticError):
        raise
    except (ValueError, IndexError, RuntimeError) as error:
        raise LinregionsError(
            f"does not fit a value of shape {value.shape[1:]} ({first_line(error)}); give shape=, "
            "the sizes of one input without the batch dimension"
        ) from error
    builder.count(type(module).__name__, before)
    return out


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside ``torch.compile`` and data-parallel wrappers."""
    while True:
        if "_orig_mod" in module._modules:
            module = module._modules["_orig_mod"]  # type: ignore[assignment]
        elif type(module).__name__ in ("DataParallel", "DistributedDataParallel"):
            module = module.module  # type: ignore[assignment]
        else:
            return module


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
    "sigmoid tanh gelu silu elu selu celu softplus softsign mish hardswish exp exp2 expm1 log log2 "
    "log10 log1p sqrt rsqrt pow square softmax log_softmax layer_norm group_norm instance_norm "
    "rms_norm reciprocal erf erfc sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh "
    "scaled_dot_product_attention log_sigmoid log_sigmoid_forward lstm gru rnn_tanh lstm_cell "
    "gru_cell rnn_tanh_cell norm linalg_vector_norm logsumexp prod cumprod bilinear glu "
    "local_response_norm cosine_similarity std var std_mean var_mean multi_head_attention "
    "scaled_dot_product_flash_attention scaled_dot_product_flash_attention_for_cpu "
    "scaled_dot_product_efficient_attention thnn_fused_lstm_cell logit cdist"
)
JUMPS = words(
    "sign sgn floor ceil round trunc frac fmod remainder heaviside gt lt ge le eq ne greater less "
    "argmax argmin topk sort argsort median mode embedding hardshrink bucketize searchsorted "
    "logical_not logical_and logical_or nonzero floor_divide"
)
ROUNDING = words("add sub rsub mul div matmul mm addmm linear sum mean")


def _exported(module: nn.Module, shape: Shape, given: bool) -> Any:
    """The flat graph of a module; what goes wrong in the user's code names the line."""
    sample = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
    example = torch.zeros(shape, dtype=sample.dtype, device=sample.device)
    try:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")  # torch warns about its own insides
            if isinstance(module, torch.jit.ScriptModule):
                from torch._export.converter import TS2EPConverter

                return _flat(TS2EPConverter(module, (example,)).convert())
            return _flat(torch.export.export(module, (example,)))
    except Exception as error:  # whatever the module's own code raises
        hint = "" if given else "give shape=, the sizes of one input without the batch, or "
        at = f" at {place}" if (place := _user_line(error)) else ""
        if "DataDependent" in type(error).__name__:
            raise UnsupportedNetwork(
                f"{_class(module)}: a branch that depends on the input{at}; it may jump: write it "
                "with torch.maximum, torch.where of constants, or clamp"
            ) from error
        raise UnsupportedNetwork(
            f"{_class(module)}: torch.export fails on an input of shape {shape}{at} "
            f"({first_line(error)}); {hint}pass a module that torch.export can trace"
        ) from error


def _flat(program: Any) -> Any:
    """A program with nothing in place any more."""
    if any(_operator(n).endswith("_") for n in program.graph.nodes):
        return program.run_decompositions({})
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch's log and print of what it could not trace: our own line says it."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(level)


def _user_line(error: BaseException | None) -> str:
    """File and line of the last frame that is neither torch's nor ours."""
    ours = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]), "<")
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    users = [f for f in frames if not f.filename.startswith(ours)]
    inside = [f for f in users if f.name == "forward"] or users[1:]
    return f"{Path(inside[-1].filename).name}:{inside[-1].lineno}" if inside else ""


def _written(node: Any) -> str:
    """File and line of the user's code that an operator comes from."""
    lines = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    users = [(f, n) for f, n in lines if "/torch/" not in f.replace("\\", "/")]
    return f"{Path(users[-1][0]).name}:{users[-1][1]}" if users else ""


def _module_of(node: Any) -> str:
    """The innermost module that is not piecewise linear and that an operator belongs to."""
    for path, kind in reversed(list((node.meta.get("nn_module_stack") or {}).values())):
        name = (kind if isinstance(kind, str) else kind.__name__).split(".")[-1]
        if name in CURVED_NAMES:
            return f"part of module '{path}' ({name}), which is not piecewise linear; {CURVED}"
    return ""


class _Exported:
    """One walk through the flat graph of an exported module."""

    def __init__(self, program: Any, name: str, shape: Shape) -> None:
        self.program, self.name, self.shape = program, name, shape
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
        raise UnsupportedNetwork(f"{self.name}: the module gives no output; return one tensor")

    def _finish(self, given: Value, node: Any) -> Network:
        names = list(self.program.graph_signature.user_outputs)
        results = [a for a in node.args[0] if getattr(a, "name", None) in names]
        out = self.known.get(results[0]) if len(results) == 1 else None
        if isinstance(out, torch.Tensor):
            out = constant(weights(out, "the output"))
        if not isinstance(out, Value):
            raise UnsupportedNetwork(
                f"{self.name}: the module gives {len(names)} outputs; one "
                "tensor is expected: return the first alone"
            )
        return self.builder.network(given.size, out)

    def _call(self, node: Any) -> Any:
        part = Refusal("operator", node.name, _operator(node), VERSION, _written(node))
        args = torch.fx.map_arg(node.args, self.known.__getitem__)
        kwargs = torch.fx.map_arg(node.kwargs, self.known.__getitem__)
        values = list(_values((*args, *kwargs.values())))
        with reading(part):
            if any(isinstance(a, Positions) for a in args):
                raise UnsupportedNetwork(
                    "it reads the positions of maxima, which jump; use their values alone"
                )
            if node.target is operator.getitem:
                return args[0][args[1]]
            if not values:
                return self._fold(node, part, args, kwargs)
            try:
                return self._apply(node, part, values, args, kwargs)
            except UnsupportedNetwork as error:
                raise UnsupportedNetwork(_module_of(node) or str(error)) from error

    def _fold(self, node: Any, label: Refusal, args: Any, kwargs: Any) -> Any:
        if "rand" in _operator(node) or "bernoulli" in _operator(node):
            raise UnsupportedNetwork(
                "random numbers are not supported; use the module as at inference"
            )
        out = node.target(*args, **kwargs)
        if _operator(node) in ROUNDING and isinstance(out, torch.Tensor):
            self.builder.rounding(f"{label}: constants combined once, in {out.dtype}")
        return out

    def _apply(self, node: Any, part: Refusal, values: list[Value], args: Any, kwargs: Any) -> Any:
        op, first = part.operator, values[0]
        if op in ENDS and len(values) == 1:
            shape = tuple(int(d) for d in node.meta["val"].shape) if "val" in node.meta else None
            return ended(first, str(part), shape)
        if op in MOVES and len(values) == 1 and args[0] is first and not op.endswith("dropout"):
            self.builder.count(op, len(self.builder.layers))
            return moved(first, lambda grid: node.target(grid, *args[1:], **kwargs))
        if op in ("cat", "concat") and any(v.dropped for v in values):
            parts = (
                v if isinstance(v, Value) else constant(weights(v, str(part))) for v in args[0]
            )
            return beside_behind(list(parts))
        if op.endswith("dropout"):
            self.builder.note(f"{part}: identity at inference")
            return first
        for value in values:
            stripped(value)
        if op in MOVES:
            raise UnsupportedNetwork(
                "a choice of entries that depends on the input; make the choice a constant"
            )
        if op not in OPERATORS:
            raise UnsupportedNetwork(_reason(op))
        before = len(self.builder.layers)
        out = OPERATORS[op](self.builder, part, _named(node.target, args, kwargs))
        self.builder.count(op, before)
        return out


def _reason(op: str) -> str:
    if op.removeprefix("_").removeprefix("native_") in BENDS or op in BENDS:
        return f"not piecewise linear; {CURVED}"
    if op in JUMPS:
        return (
            "not a continuous piecewise-linear function; cut the model before it, or write a "
            "choice with torch.maximum"
        )
    return "not supported yet"


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
