"""The dictionary from primitive to lowering rule."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import onnx_ir as ir
from jax.extend.core import Primitive

from jax2onnx import jax_internals
from jax2onnx.lower.context import Context
from jax2onnx.lower.families import FAMILIES

Results: TypeAlias = ir.Value | Sequence[ir.Value]
Rule: TypeAlias = Callable[..., Results]
"""``rule(ctx, *operands, **params)``: takes values and the equation's params, returns values."""

LOWERINGS: dict[Primitive, Rule] = {}

R = TypeVar("R", bound=Callable[..., Any])


def register_lowering(*primitives: Primitive) -> Callable[[R], R]:
    """Return a decorator that registers a rule for primitives.

    A rule takes the lowering context, one ``onnx_ir.Value`` for each operand and the equation's
    params as keyword arguments. It returns a value for each result, of the dtype and rank that
    ``ctx.avals_out`` states::

        @register_lowering(my_primitive_p)
        def _(ctx, x, *, scale):
            return ctx.op.Mul(x, ctx.constant(scale, x))

    Write the decomposition in JAX where ONNX has no operator: ``register_lowering(p)(in_jax(fn))``.

    Args:
        primitives: the primitives; a rule that they have already is replaced.
    """

    def register(rule: R) -> R:
        for primitive in primitives:
            LOWERINGS[primitive] = rule
        return rule

    return register


@dataclass(frozen=True)
class Decomposition:
    """A rule that lowers the trace of ``function(*operands, **params)``, as `in_jax` returns it."""

    function: Callable[..., Any]
    operator: Rule | None = None
    since: int = 0

    def __call__(self, ctx: Context, *operands: ir.Value, **params: Any) -> Results:
        """Lower the trace of the function on the types of ``operands``, or emit the operator."""
        if self.operator is not None and ctx.opset >= self.since:
            return self.operator(ctx, *operands, **params)
        return ctx.lower_function(self.function, operands, **params)


def rule_of(primitive: Primitive) -> Rule | None:
    """Return the rule of a primitive, or None.

    The family of the primitive is imported if need be. A primitive of a library without a rule is
    lowered as JAX compiles it, if that is written in JAX. Equinox has primitives of its own, which
    its loops use; it also says how they are computed.
    """
    if primitive not in LOWERINGS and primitive.name in FAMILIES:
        registered = dict(LOWERINGS)
        importlib.import_module(FAMILIES[primitive.name])
        LOWERINGS.update(registered)  # A rule that a user registered takes precedence.
    if primitive not in LOWERINGS:
        finalised = getattr(sys.modules.get("equinox.internal"), "primitive_finalisations", {})
        known = primitive in finalised or (finalised and primitive.name == "vprim")
        function = primitive.impl if known else jax_internals.composition(primitive)
        if function is None:
            return None
        LOWERINGS[primitive] = in_jax(function)
    return LOWERINGS[primitive]


def known_primitives() -> list[str]:
    """Return the names of the primitives that have a rule, those of all families included."""
    return sorted({*FAMILIES, *(primitive.name for primitive in LOWERINGS)})


def in_jax(
    function: Callable[..., Any], *, operator: Rule | None = None, since: int = 0
) -> Decomposition:
    """Return a rule that lowers the trace of ``function``.

    Such a rule works on complex numbers too, if ``function`` does.

    Args:
        function: computes the primitive, ``function(*operands, **params)``, in JAX; returns an
            array, or a sequence of one array for each result.
        operator: a rule to use instead, for operator sets that have an operator for the primitive.
        since: the first version of the default operator set that has it.
    """
    return Decomposition(function, operator, since)
