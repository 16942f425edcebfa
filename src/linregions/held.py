"""Named tuples that compiled functions hand on whole, as one pointer.

numba passes a tuple of arrays as all of their parts: a cursor of 24 arrays would be 200 arguments
of every function that it goes through, and those take longer to compile than what the function
does. A kernel therefore begins with ``C = held(C)``: the same to read (``C.G``), but one pointer
to where the tuple lies. It cannot be returned or kept, and its fields cannot be set.

The dimension of a field (``C.log.ndim``) is known before types are found, as that of an array that
is a parameter: what hangs on it is decided when a function is compiled.
"""

from __future__ import annotations

import hashlib
from types import ModuleType
from typing import Any

from numba import types
from numba.core import cgutils, config
from numba.core import ir as nir
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.datamodel import models
from numba.core.imputils import impl_ret_borrowed, lower_getattr_generic
from numba.core.ir_utils import get_definition, guard
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, register_model


class Held(types.Type):
    """A pointer to a named tuple of the type ``of``."""

    def __init__(self, of: types.NamedTuple) -> None:
        self.of = of
        short = hashlib.sha256(of.name.encode()).hexdigest()[:12]  # it stands in names of functions
        super().__init__(f"held {of.instance_class.__name__} {short}")

    @property
    def key(self) -> types.NamedTuple:
        """What makes two of them equal."""
        return self.of

    def field(self, name: str) -> Any:
        """The type of a field."""
        return self.of[self.of.fields.index(name)]


@register_model(Held)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, held: Held) -> None:
        super().__init__(manager, held, manager.lookup(held.of).get_value_type().as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):
    key = Held

    def generic_resolve(self, held: Held, name: str) -> Any:
        return held.field(name) if name in held.of.fields else None


@lower_getattr_generic(Held)
def _field(context: Any, builder: Any, held: Held, pointer: Any, name: str) -> Any:
    place = cgutils.gep_inbounds(builder, pointer, 0, held.of.fields.index(name))
    return impl_ret_borrowed(context, builder, held.field(name), builder.load(place))


@intrinsic
def _hold(typingctx: Any, given: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once_value(builder, arguments[0])

    return Held(given)(given), code


def _itself(given: Any) -> Any:
    return given


held: Any = _itself if getattr(config, "DISABLE_JIT", False) else _hold


@register_pass(mutates_CFG=False, analysis_only=False)
class Dimensions(FunctionPass):
    """Replaces ``C.log.ndim`` of a held C, and constants of modules (``L.EC``), by numbers."""

    _name = "linregions_dimensions"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Look at every assignment."""
        code, changed = state.func_ir, False
        for block in code.blocks.values():
            for line in block.body:
                value = getattr(line, "value", None)
                if isinstance(value, nir.Expr) and value.op == "getattr":
                    number = _constant(code, value, state.args)
                    if number is not None:
                        line.value = nir.Const(number, line.loc)
                        found = code._definitions[line.target.name]
                        found[found.index(value)] = line.value
                        changed = True
        return changed


def _constant(code: Any, value: Any, given: Any) -> Any:
    """The number that an attribute is, or None."""
    of = guard(get_definition, code, value.value)
    if isinstance(of, nir.Global | nir.FreeVar) and isinstance(of.value, ModuleType):
        number = getattr(of.value, value.attr, None)
        return number if isinstance(number, bool | int | float) else None
    if value.attr == "ndim" and isinstance(of, nir.Expr) and of.op == "getattr":
        whole = guard(get_definition, code, of.value)
        if isinstance(whole, nir.Arg) and isinstance(given[whole.index], Held):
            return given[whole.index].field(of.attr).ndim
    return None
