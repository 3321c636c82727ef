"""Calls, conditionals and loops whose jaxprs hold complex numbers or keys."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from jax2onnx.jax_internals import scan_parts
from jax2onnx.lower.plain_numbers.retrace import Operand, evaluate, rule
from jax2onnx.marks import Mark
from jax2onnx.trace.dimensions import Dim
from jax2onnx.trace.jaxprs import CALLS, only_jaxpr


def _function(closed: core.ClosedJaxpr) -> Callable[..., list[Operand]]:
    return lambda *operands: evaluate(closed, operands)


@rule(primitives.jit_p)
def _jit(*operands: Operand, jaxpr: core.ClosedJaxpr, name: str, **_: object) -> list[Operand]:
    function = _function(jaxpr)
    if Mark.parse(name) is None:
        return function(*operands)
    function.__name__ = function.__qualname__ = name
    return list(jax.jit(function)(*operands))


@rule(*(p for p in CALLS if p is not primitives.jit_p))
def _call(*operands: Operand, **params: object) -> list[Operand]:
    return evaluate(only_jaxpr(params), operands)


@rule(lax.cond_p)
def _cond(
    index: jax.Array, *operands: Operand, branches: Sequence[core.ClosedJaxpr], **_: object
) -> list[Operand]:
    functions = [_function(b) for b in branches]
    if len(functions) == 2:
        return list(lax.cond(index > 0, *functions[::-1], *operands))
    return list(lax.switch(index, functions, *operands))


@rule(lax.while_p)
def _while(
    *operands: Operand,
    cond_nconsts: int,
    cond_jaxpr: core.ClosedJaxpr,
    body_nconsts: int,
    body_jaxpr: core.ClosedJaxpr,
    **_: object,
) -> list[Operand]:
    cond_consts = operands[:cond_nconsts]
    body_consts = operands[cond_nconsts : cond_nconsts + body_nconsts]
    carry = list(operands[cond_nconsts + body_nconsts :])
    going, body = _function(cond_jaxpr), _function(body_jaxpr)

    def test(carried: list[Operand]) -> Any:
        return going(*cond_consts, *carried)[0]

    def step(carried: list[Operand]) -> list[Operand]:
        new = body(*body_consts, *carried)
        if not cond_jaxpr.out_avals[0].shape:
            return new
        on = test(carried)  # under `vmap`, one for each element; the others keep their carry

        def chosen(after: jax.Array, before: jax.Array) -> jax.Array:
            return jnp.where(jnp.expand_dims(on, range(on.ndim, after.ndim)), after, before)

        return list(jax.tree_util.tree_map(chosen, new, carried))

    final: list[Operand] = lax.while_loop(lambda carried: jnp.any(test(carried)), step, carry)
    return final


@rule(lax.scan_p)
def _scan(
    *operands: Operand, jaxpr: core.ClosedJaxpr, length: Dim, reverse: bool, **params: Any
) -> list[Operand]:
    consts, first, scanned = map(list, scan_parts(operands, params))
    body = _function(jaxpr)

    def step(carry: list[Operand], slices: list[Operand]) -> tuple[list[Operand], list[Operand]]:
        results = body(*consts, *carry, *slices)
        return results[: len(first)], results[len(first) :]

    steps: Any = None if scanned else length  # `lax.scan` takes no symbolic length beside arrays
    carry, stacked = lax.scan(step, first, scanned, length=steps, reverse=reverse)
    return [*carry, *stacked]
