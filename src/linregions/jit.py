"""How kernels are compiled, and how another thread stops one.

A kernel is stopped by a *trip wire*: one cell of an array that it has, zero until somebody writes
something else there. Loops look at it every few thousand operations (`raised`). Whoever reads a
wire that is raised returns as soon as it can; what a caller makes of a result is then open, so it
looks at the wire itself before it believes a failure. Only the caller of the kernel puts the wire
back, after the kernel has returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.targetconfig import ConfigStack
from numba.core.types.functions import BaseFunction
from numba.core.untyped_passes import RewriteSemanticConstants
from numba.extending import intrinsic

from .caching import KernelCache
from .held import Dimensions, held  # noqa: F401 (for all who write kernels)

INTERPRETED: bool = getattr(config, "DISABLE_JIT", False)  # for those who step through kernels


class Tripped(KeyboardInterrupt):
    """A kernel has returned early because its trip wire was raised."""


class _NoEnvironment:
    """For functions that Python never calls."""

    def set_env(self, *_: Any) -> None:
        """There is none."""


class _PartLibrary(JITCodeLibrary):
    """A function for compiled callers only: linked into kernels, and never made ready by itself."""

    @property
    def codegen(self) -> Any:
        return _NoEnvironment()

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0


class _KernelLibrary(JITCodeLibrary):
    """Links every function that is called, by whatever way, once, and then optimises."""

    level = 2  # of LLVM's optimisation; kernels run no faster at 3

    def finalize(self) -> None:
        seen: dict[Any, None] = {}
        todo = list(self._linking_libraries)
        while todo:
            library = todo.pop()
            if library not in seen:
                seen[library] = None
                if isinstance(library, _PartLibrary):
                    todo += library._linking_libraries
        self._linking_libraries = list(seen)
        super().finalize()

    def _optimize_final_module(self) -> None:
        """Once: numba's first round serves reference counts, of which there are few."""
        manager, passes = self._codegen._module_pass_manager(opt=self.level)
        manager.run(self._final_module, passes)


# passes for closures, contexts, exceptions, expressions of whole arrays: kernels have none
UNUSED = {
    "WithLifting", "InlineClosureLikes", "RewriteDynamicRaises", "MakeFunctionToJitFunction",
    "FindLiterallyCalls", "LiteralUnroll", "LiteralPropagationSubPipelinePass", "InlineOverloads",
    "NopythonRewrites", "AnnotateTypes", "DumpParforDiagnostics",
    "NoPythonSupportedFeatureValidation",
}  # fmt: skip


class _Pipeline(Compiler):
    """numba's pipeline with another way to link; ``library`` is the class that links."""

    library: Any

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *rest: Any) -> None:
        if library is None:
            library = self.library(targetctx.codegen(), type(self).__name__)
            library.enable_object_caching()
        super().__init__(typingctx, targetctx, library, *rest)

    def define_pipelines(self) -> Any:
        """numba's passes that kernels need, and what we know before types are found."""
        managers = super().define_pipelines()
        managers[0].add_pass_after(Dimensions, RewriteSemanticConstants)
        passes: dict[Any, Any] = {}
        for one, what in managers[0].passes:  # branches are pruned once
            passes.setdefault(one, what)
        managers[0].passes = [(p, what) for p, what in passes.items() if p.__name__ not in UNUSED]
        managers[0].finalize()
        return managers


class InnerFunction(_Pipeline):
    """For functions that only compiled ones call."""

    library = _PartLibrary


class KernelDispatcher(_Pipeline):
    """For functions that Python calls."""

    library = _KernelLibrary

    def compile_extra(self, function: Any) -> Any:
        """Compile, with all that is called."""
        with _typed_once():
            return super().compile_extra(function)


@contextmanager
def _typed_once() -> Iterator[None]:
    """Find types once: of an operation on the same types, and of our functions for all constants.

    numba tries the same dozens of candidates for every ``+`` anew, and a function of a literal
    integer is another one for each of them. It compiles under a lock.
    """
    operation: Any = BaseFunction.get_call_type
    part: Any = types.Dispatcher.get_call_type
    known: dict[Any, Any] = {}

    def of_operation(self: Any, context: Any, args: Any, kws: Any) -> Any:
        flags: Any = ConfigStack.top_or_none()
        math = frozenset(flags.fastmath.flags), flags.error_model, flags.nrt  # what parts differ in
        key = self, tuple(args), tuple(kws.items()), math
        if key not in known:
            signature = operation(self, context, args, kws)
            known[key] = signature, self._impl_keys[signature.args]
        signature, self._impl_keys[signature.args] = known[key]
        return signature

    def of_part(self: Any, context: Any, args: Any, kws: Any) -> Any:
        if issubclass(self.dispatcher._compiler.pipeline_class, _Pipeline):
            args = tuple(types.unliteral(a) for a in args)
        return part(self, context, args, kws)

    BaseFunction.get_call_type, types.Dispatcher.get_call_type = of_operation, of_part
    try:
        yield
    finally:
        BaseFunction.get_call_type, types.Dispatcher.get_call_type = operation, part


# `_nrt` off: no reference counts, which cost more than the arithmetic in functions this small
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# NaN and infinities keep their meaning. Short sums stay in order: vector code for a handful of
# terms is slower than none, so only long ones may be reordered.
FAST = {"contract", "nsz", "arcp"}
LONG = FAST | {"reassoc"}


def inner(**options: Any) -> Any:
    """A compiled function for compiled callers only: no Python wrapper to build."""
    every: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **OPTIONS}
    return njit(**{**every, **options}, pipeline_class=InnerFunction)


def kernel(what: str, **options: Any) -> Any:
    """A function that Python calls, kept on disk; ``what`` says what is compiled, in words."""

    def decorate(function: Any) -> Any:
        compiled: Any = njit(pipeline_class=KernelDispatcher, **{**OPTIONS, **options})(function)
        if not INTERPRETED:
            compiled._cache = KernelCache(compiled, what)
        return compiled

    return decorate


def plain(function: Any) -> Any:
    """What a compiled function was made of, for Python to call."""
    return getattr(function, "py_func", function)


@intrinsic
def _fresh(typingctx: Any, cells: Any, at: Any) -> Any:
    """An atomic load: one that the compiler may neither leave out nor move out of a loop."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        return builder.load_atomic(place, "monotonic", 8, typ=ir.IntType(64))

    return types.int64(cells, types.intp), code


def _raised(cells: Any, at: Any) -> Any:
    """Whether the trip wire in place ``at`` of a vector of int64 is raised."""
    return _fresh(cells, at) != 0  # pyright: ignore[reportCallIssue] (its first argument is implied)


def _raised_plainly(cells: Any, at: Any) -> Any:
    """The same without compiling."""
    return bool(cells[at] != 0)


raised: Any = _raised_plainly if INTERPRETED else inner()(_raised)
