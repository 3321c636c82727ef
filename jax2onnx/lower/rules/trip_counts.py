"""The number of iterations of a ``while`` loop that counts: ``while i < n: i += 1``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir
from jax import lax
from jax.extend import core

from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import INT64
from jax2onnx.trace.jaxprs import aval_of

_MOST = int(np.iinfo(np.int64).max)

# For each comparison of a counter with its limit: whether the counter goes up, and whether the
# limit is still inside. The operands may be exchanged.
_COMPARISONS = {
    lax.lt_p: (True, False),
    lax.le_p: (True, True),
    lax.gt_p: (False, False),
    lax.ge_p: (False, True),
}


class TripCount(NamedTuple):
    """The number of iterations that a loop makes at most.

    Attributes:
        value: an int64 scalar, which may be negative if there is no iteration.
        exact: whether nothing else can end the loop.
    """

    value: ir.Value
    exact: bool


class _Counter(NamedTuple):
    """A part of a loop's condition that compares a counter with a limit.

    Attributes:
        position: the counter's place in the carry.
        limit: a literal, or an input of the condition that no iteration changes.
        inside: whether the loop also goes on where the counter equals the limit.
        step: by how much an iteration changes the counter, towards the limit.
    """

    position: int
    limit: core.Var | core.Literal
    inside: bool
    step: int


def trip_count(
    ctx: Context,
    cond: core.Jaxpr,
    cond_consts: Sequence[ir.Value],
    body: core.Jaxpr,
    carry: Sequence[ir.Value],
) -> TripCount | None:
    """Return the trip count of ``while cond(carry): carry = body(carry)`` if a counter tells it.

    A counter is an integer of the carry to which each iteration adds the same literal. The
    condition, or one of several that are joined by ``and``, compares it with a limit.

    Args:
        ctx: the graph around the loop.
        cond: the condition; its inputs are constants, then the carry.
        cond_consts: these constants.
        body: an iteration; its inputs are constants, then the carry.
        carry: the values before the first iteration.
    """
    parts = list(_conjuncts(cond, cond.outvars[0]))
    for eqn in parts:
        counter = _counter(cond, eqn, body, len(carry))
        if counter is None:
            continue
        limit = counter.limit
        if isinstance(limit, core.Literal):
            end = ctx.builder.constant(np.asarray(limit.val))
        else:
            end = [*cond_consts, *carry][cond.invars.index(limit)]
        value = _count(ctx, counter, carry[counter.position], end, exact=len(parts) == 1)
        if value is not None:
            return TripCount(value, len(parts) == 1)
    return None


def _origin(jaxpr: core.Jaxpr, atom: core.Var | core.Literal) -> core.Var | core.Literal:
    """Return ``atom`` as it was before conversions from its own dtype, which change weak types."""
    made = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
    while isinstance(atom, core.Var) and atom in made:
        eqn = made[atom]
        if eqn.primitive is not lax.convert_element_type_p:
            break
        if aval_of(eqn.invars[0]).dtype != aval_of(atom).dtype:
            break
        atom = eqn.invars[0]
    return atom


def _conjuncts(cond: core.Jaxpr, result: core.Var | core.Literal) -> Iterator[core.JaxprEqn | None]:
    """Yield the equations of the booleans that a condition joins; None for one without."""
    made = {var: eqn for eqn in cond.eqns for var in eqn.outvars}
    eqn = None if isinstance(result, core.Literal) else made.get(result)
    if eqn is not None and aval_of(eqn.outvars[0]).dtype == np.bool_:
        is_cast = eqn.primitive is lax.convert_element_type_p
        if eqn.primitive is lax.and_p or (is_cast and aval_of(eqn.invars[0]).dtype == np.bool_):
            for operand in eqn.invars:
                yield from _conjuncts(cond, operand)
            return
    yield eqn


def _counter(
    cond: core.Jaxpr, eqn: core.JaxprEqn | None, body: core.Jaxpr, size: int
) -> _Counter | None:
    """Return the counter that ``eqn`` compares with a limit, if it is such a comparison."""
    if eqn is None or eqn.primitive not in _COMPARISONS:
        return None
    inputs, first = cond.invars, len(cond.invars) - size
    steps = _steps(body, size)
    operands = [_origin(cond, operand) for operand in eqn.invars]
    for exchanged, (variable, limit) in enumerate((operands, operands[::-1])):
        if isinstance(variable, core.Literal) or variable not in inputs[first:]:
            continue
        if not isinstance(limit, core.Literal):
            if limit not in inputs:
                continue
            place = inputs.index(limit) - first
            if place >= 0 and steps[place] != 0:
                continue
        upwards, inside = _COMPARISONS[eqn.primitive]
        position = inputs.index(variable) - first
        step = steps[position]
        if step and (step > 0) == (upwards != bool(exchanged)):
            return _Counter(position, limit, inside, step)
    return None


def _steps(body: core.Jaxpr, size: int) -> list[int | None]:
    """Return by how much an iteration changes each carried value; None if that is not known."""
    made = {var: eqn for eqn in body.eqns for var in eqn.outvars}
    steps: list[int | None] = []
    for before, result in zip(body.invars[len(body.invars) - size :], body.outvars, strict=True):
        after, step = _origin(body, result), None
        if after is before:
            step = 0
        elif isinstance(after, core.Var) and after in made:
            step = _added(body, made[after], before)
        steps.append(step)
    return steps


def _added(body: core.Jaxpr, eqn: core.JaxprEqn, variable: core.Var) -> int | None:
    """Return the integer literal that an equation adds to an integer scalar."""
    aval = aval_of(variable)
    if aval.shape or aval.dtype.kind not in "iu" or aval.dtype == np.uint64:
        return None
    sign = {lax.add_p: 1, lax.sub_p: -1}.get(eqn.primitive)
    if sign is None:
        return None
    left, right = (_origin(body, operand) for operand in eqn.invars)
    if sign > 0 and right is variable:
        left, right = right, left
    if left is not variable or not isinstance(right, core.Literal):
        return None
    return sign * int(right.val)


def _count(
    ctx: Context, counter: _Counter, start: ir.Value, end: ir.Value, *, exact: bool
) -> ir.Value | None:
    """Return how often a counter can go from ``start`` towards ``end``."""
    size = abs(counter.step)
    extra = size - 1 + int(counter.inside)
    known = ctx.builder.array(start), ctx.builder.array(end)
    if known[0] is not None and known[1] is not None:
        first, last = int(known[0]), int(known[1])
        apart = last - first if counter.step > 0 else first - last
        count = (apart + extra) // size
        return ctx.constant(max(0, min(count, _MOST)), INT64)
    wide = np.dtype(np.int64) in (aval.dtype for aval in ctx.avals_in)
    if wide and not exact:  # the difference may overflow
        return None
    low, high = (start, end) if counter.step > 0 else (end, start)
    distance = ctx.op.Sub(ctx.cast(high, INT64), ctx.cast(low, INT64))
    if extra:
        distance = ctx.op.Add(distance, ctx.constant(extra, INT64))
    return distance if size == 1 else ctx.op.Div(distance, ctx.constant(size, INT64))
