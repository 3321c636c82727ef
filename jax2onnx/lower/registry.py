"""The dictionary from primitive to lowering rule."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import onnx_ir as ir
from jax.extend.core import Primitive

if TYPE_CHECKING:
    from jax2onnx.lower.context import Context

Results: TypeAlias = "ir.Value | Sequence[ir.Value]"
Rule: TypeAlias = "Callable[..., Results]"
"""``rule(ctx, *operands, **params)``: values in, values out, the equation's params as arguments."""

LOWERINGS: dict[Primitive, Rule] = {}

R = TypeVar("R", bound=Callable[..., Any])


def register_lowering(*primitives: Primitive) -> Callable[[R], R]:
    """Registers the decorated rule for primitives.

    A rule takes the lowering context, one ``onnx_ir.Value`` an operand and the equation's params
    as keyword arguments, and returns one value a result::

        @register_lowering(my_primitive_p)
        def _(ctx, x, *, scale):
            return ctx.op.Mul(x, ctx.constant(scale, x))

    Write the decomposition in JAX where ONNX has no operator: ``register_lowering(p)(in_jax(fn))``.
    """

    def register(rule: R) -> R:
        for primitive in primitives:
            LOWERINGS[primitive] = rule
        return rule

    return register


@dataclass(frozen=True)
class Decomposition:
    """A rule that lowers the trace of ``function(*operands, **params)``, written in JAX."""

    function: Callable[..., Any]
    operator: Rule | None = None
    since: int = 0

    def __call__(self, ctx: Context, *operands: ir.Value, **params: Any) -> Results:
        """Lowers the trace of the function on the types of ``operands``, or to the operator."""
        if self.operator is not None and ctx.opset >= self.since:
            return self.operator(ctx, *operands, **params)
        return ctx.lower_function(lambda *args: self.function(*args, **params), operands)


def rule_of(primitive: Primitive) -> Rule | None:
    """The rule of a primitive; of Equinox's own, which its loops use, what Equinox says it is."""
    if primitive not in LOWERINGS:
        finalised = getattr(sys.modules.get("equinox.internal"), "primitive_finalisations", {})
        if primitive not in finalised and not (finalised and primitive.name == "vprim"):
            return None
        LOWERINGS[primitive] = in_jax(primitive.impl)
    return LOWERINGS[primitive]


def in_jax(
    function: Callable[..., Any], *, operator: Rule | None = None, since: int = 0
) -> Decomposition:
    """A rule for a primitive that ``function`` computes with primitives that have a lowering.

    Such a primitive works on complex numbers too, if ``function`` does. Where operator sets have
    an operator for it ``since`` some version, the rule ``operator`` emits that instead.
    """
    return Decomposition(function, operator, since)
