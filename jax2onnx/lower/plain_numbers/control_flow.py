"""Calls, conditionals and loops whose jaxprs hold complex numbers or keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives

from jax2onnx.lower.plain_numbers.retrace import evaluate, rule
from jax2onnx.lower.rules.calls import CALLS, closed
from jax2onnx.marks import Mark


def _function(closed: Any) -> Callable[..., list[Any]]:
    return lambda *operands: evaluate(closed.jaxpr, closed.consts, operands)


@rule(primitives.jit_p)
def _jit(*operands: Any, jaxpr: Any, name: str, **_: Any) -> list[Any]:
    function = _function(jaxpr)
    if Mark.parse(name) is None:
        return function(*operands)
    function.__name__ = function.__qualname__ = name
    return list(jax.jit(function)(*operands))


def _call(param: str) -> Callable[..., list[Any]]:
    return lambda *operands, **params: _function(closed(params[param]))(*operands)


for _primitive, _param in CALLS.items():
    rule(_primitive)(_call(_param))


@rule(lax.cond_p)
def _cond(index: Any, *operands: Any, branches: Any, **_: Any) -> list[Any]:
    functions = [_function(b) for b in branches]
    if len(functions) == 2:
        return list(lax.cond(index > 0, *functions[::-1], *operands))
    return list(lax.switch(index, functions, *operands))


@rule(lax.while_p)
def _while(
    *operands: Any,
    cond_nconsts: int,
    cond_jaxpr: Any,
    body_nconsts: int,
    body_jaxpr: Any,
    **_: Any,
) -> list[Any]:
    cond_consts = operands[:cond_nconsts]
    body_consts = operands[cond_nconsts : cond_nconsts + body_nconsts]
    carry = list(operands[cond_nconsts + body_nconsts :])
    going, body = _function(cond_jaxpr), _function(body_jaxpr)

    def test(carried: Any) -> Any:
        return going(*cond_consts, *carried)[0]

    def step(carried: Any) -> list[Any]:
        new = body(*body_consts, *carried)
        if not cond_jaxpr.out_avals[0].shape:
            return new
        on = test(carried)  # under `vmap`, for each element; the others stay as they are

        def chosen(after: Any, before: Any) -> Any:
            return jnp.where(jnp.expand_dims(on, range(on.ndim, after.ndim)), after, before)

        return list(jax.tree_util.tree_map(chosen, new, carried))

    return list(lax.while_loop(lambda carried: jnp.any(test(carried)), step, carry))


@rule(lax.scan_p)
def _scan(
    *operands: Any,
    jaxpr: Any,
    num_consts: int,
    num_carry: int,
    length: Any,
    reverse: bool,
    **_: Any,
) -> list[Any]:
    consts, rest = operands[:num_consts], operands[num_consts:]
    body = _function(jaxpr)

    def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        results = body(*consts, *carry, *slices)
        return results[:num_carry], results[num_carry:]

    scanned = list(rest[num_carry:])
    steps = None if scanned else length  # which `lax.scan` wants to be a number
    carry, stacked = lax.scan(step, list(rest[:num_carry]), scanned, length=steps, reverse=reverse)
    return [*carry, *stacked]
