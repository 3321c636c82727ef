"""Conditionals and loops: If, Loop and Scan, whose bodies read outer values directly."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from jax import lax
from jax.extend import core
from jax.typing import DTypeLike

from jax2onnx import jax_internals
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL, INT32, INT64
from jax2onnx.lower.registry import register_lowering
from jax2onnx.lower.rules.trip_counts import trip_count
from jax2onnx.trace.checks import check_p
from jax2onnx.trace.dimensions import Dim, Dims, is_static
from jax2onnx.trace.jaxprs import branch_on_cpu


def _branch_graph(
    ctx: Context,
    inputs: Sequence[ir.Value],
    build: Callable[[Context], Sequence[ir.Value]],
    name: str,
) -> ir.Graph:
    """Return a graph inside that of ``ctx``, whose body ``build`` lowers."""
    branch = ctx.branch()
    results = build(branch)
    outputs = branch.as_outputs(results, [f"{name}_{i}" for i in range(len(results))])
    return ir.Graph(inputs, outputs, nodes=branch.builder.nodes, name=name)


def _fresh(ctx: Context, name: str, values: Sequence[ir.Value]) -> list[ir.Value]:
    """Return new inputs of a body: one for each value, of the same type."""
    return [
        ctx.builder.new_value(f"{name}_{i}", element_type(v), ctx.dims(v))
        for i, v in enumerate(values)
    ]


@register_lowering(jax_internals.platform_index_p)
def _platform_index(ctx: Context, *, platforms: Sequence[Sequence[str] | None]) -> ir.Value:
    """Return the branch that JAX takes on the CPU."""
    return ctx.builder.constant(np.int32(branch_on_cpu(platforms)))


@register_lowering(lax.cond_p)
def _cond(
    ctx: Context,
    index: ir.Value,
    *operands: ir.Value,
    branches: Sequence[core.ClosedJaxpr],
    **_: object,
) -> Sequence[ir.Value]:
    """Run the branch that the index chooses; an index outside is clamped."""
    known = ctx.builder.array(index)
    if known is not None or len(branches) == 1:
        chosen = 0 if known is None else min(max(int(known), 0), len(branches) - 1)
        return ctx.lower_jaxpr(branches[chosen], operands)
    head, *rest = branches

    def otherwise(branch: Context) -> Sequence[ir.Value]:
        if len(rest) == 1:
            return branch.lower_jaxpr(rest[0], operands)
        branch.avals_out = ctx.avals_out
        return _cond(branch, branch.op.Sub(index, 1), *operands, branches=rest)

    return ctx.several(
        "If",
        _is_positive(ctx, index),
        then_branch=_branch_graph(ctx, (), otherwise, "then"),
        else_branch=_branch_graph(
            ctx, (), lambda branch: branch.lower_jaxpr(head, operands), "else"
        ),
        types=ctx.out_types,
    )


@register_lowering(check_p)
def _check(
    ctx: Context,
    index: ir.Value,
    *operands: ir.Value,
    branches: Sequence[core.ClosedJaxpr],
    passing: int,
    message: str,
) -> Sequence[ir.Value]:
    """Compute the branch that raises no error, and note whether another one is chosen."""
    if ctx.builder.parent is not None or ctx.function_inputs is not None:
        ctx.lowerer.note_check(message, None)
    elif passing == 0:
        ctx.lowerer.note_check(message, _is_positive(ctx, index))
    else:
        ctx.lowerer.note_check(message, ctx.op.Not(ctx.op.Equal(index, passing)))
    return ctx.lower_jaxpr(branches[0], operands)


def _is_positive(ctx: Context, index: ir.Value) -> ir.Value:
    """Return whether an index is above 0: the boolean itself, if the index was cast from one."""
    truth = _boolean(index)
    if truth is None:
        return ctx.op.Greater(index, 0)
    node = truth.producer()
    if node is not None and node.op_type == "Greater":
        zero = ctx.builder.array(node.inputs[1])
        inner = None if zero is None or zero.any() else _boolean(node.inputs[0])
        return truth if inner is None else inner
    return truth


def _boolean(value: ir.Value | None) -> ir.Value | None:
    """Return the boolean that ``value`` is or was cast from; None if there is none."""
    node = None if value is None else value.producer()
    if node is not None and node.op_type == "Cast":
        value = node.inputs[0]
    return value if value is not None and value.dtype == BOOL else None


@register_lowering(lax.while_p)
def _while(
    ctx: Context,
    *operands: ir.Value,
    cond_nconsts: int,
    cond_jaxpr: core.ClosedJaxpr,
    body_nconsts: int,
    body_jaxpr: core.ClosedJaxpr,
    **_: object,
) -> Sequence[ir.Value]:
    """Add a Loop, with its trip count where a counter tells it."""
    cond_consts = operands[:cond_nconsts]
    body_consts = operands[cond_nconsts : cond_nconsts + body_nconsts]
    carry = operands[cond_nconsts + body_nconsts :]
    inputs = _fresh(ctx, "carry", carry)
    batched = bool(cond_jaxpr.out_avals[0].shape)
    count = None
    if not batched:
        count = trip_count(ctx, cond_jaxpr.jaxpr, cond_consts, body_jaxpr.jaxpr, carry)
    counts_only = count is not None and count.exact

    def predicate(where: Context, carried: Sequence[ir.Value]) -> ir.Value:
        return where.lower_jaxpr(cond_jaxpr, (*cond_consts, *carried))[0]

    def body(branch: Context) -> Sequence[ir.Value]:
        carried = branch.lower_jaxpr(body_jaxpr, (*body_consts, *inputs))
        if counts_only:
            return going, *carried
        if batched:
            carried = _where_going(branch, predicate(branch, inputs), carried, inputs)
        return _any(branch, predicate(branch, carried)), *carried

    step, going = _loop_inputs(ctx)
    graph = _branch_graph(ctx, (step, going, *inputs), body, "body")
    start = None if counts_only else _any(ctx, predicate(ctx, carry))
    most = None if count is None else count.value
    return ctx.several("Loop", most, start, *carry, body=graph, types=ctx.out_types)


def _any(ctx: Context, predicate: ir.Value) -> ir.Value:
    """Return whether the loop goes on; under ``vmap``, whether it does for any element."""
    axes = list(range(len(ctx.dims(predicate))))
    if not axes:
        return predicate
    count = ctx.op.ReduceMax(ctx.cast(predicate, INT32), axes, keepdims=0, shape=())
    return ctx.cast(count, BOOL)


def _where_going(
    ctx: Context, going: ir.Value, new: Sequence[ir.Value], old: Sequence[ir.Value]
) -> list[ir.Value]:
    """Return the new carry for elements whose loop goes on, and the old one for the others."""
    result = []
    for value, before in zip(new, old, strict=True):
        dims = ctx.dims(value)
        aligned = (*ctx.dims(going), *(1 for _ in dims[len(ctx.dims(going)) :]))
        result.append(ctx.op.Where(ctx.reshape(going, aligned), value, before, shape=dims))
    return result


def _loop_inputs(ctx: Context) -> tuple[ir.Value, ir.Value]:
    return (ctx.builder.new_value("iteration", INT64, ()), ctx.builder.new_value("going", BOOL, ()))


def repeat(
    ctx: Context,
    times: ir.Value,
    carry: Sequence[ir.Value],
    build: Callable[[Context, ir.Value, Sequence[ir.Value]], Sequence[ir.Value]],
    types: Sequence[tuple[DTypeLike | ir.DataType, Dims]],
) -> Sequence[ir.Value]:
    """Add a Loop that runs a known number of times.

    Args:
        ctx: the graph.
        times: how often it runs, an int64 scalar.
        carry: the values that the first run takes.
        build: adds the nodes of one run to a context, from the number of the run and the values
            that it takes; returns those that the next run takes, and those that are stacked.
        types: the dtype and shape of each result of the Loop.
    """
    step, going = _loop_inputs(ctx)
    carried = _fresh(ctx, "carry", carry)

    def body(branch: Context) -> Sequence[ir.Value]:
        return going, *build(branch, step, carried)

    graph = _branch_graph(ctx, (step, going, *carried), body, "body")
    # An empty condition in the last place would be cut off; it is then a constant.
    always = ctx.builder.constant(np.asarray(True)) if not carry else None
    return ctx.several("Loop", times, always, *carry, body=graph, types=types)


@register_lowering(lax.scan_p)
def _scan(
    ctx: Context,
    *operands: ir.Value,
    jaxpr: core.ClosedJaxpr,
    length: Dim,
    reverse: bool,
    **params: Any,
) -> Sequence[ir.Value]:
    """Add a Scan, or a Loop if nothing is scanned over, since Scan needs an input to count by."""
    consts, carry, scanned = jax_internals.scan_parts(operands, params)
    stacked = ctx.out_types[len(carry) :]
    if is_static([length]) and length == 0:  # ONNX Runtime's Scan needs at least one row
        return [*carry, *(ctx.empty(*kind) for kind in stacked)]
    if not scanned and not (reverse and stacked):
        return repeat(
            ctx,
            ctx.dim_scalar(length),
            carry,
            lambda branch, _, carried: branch.lower_jaxpr(jaxpr, (*consts, *carried)),
            ctx.out_types,
        )
    carried = _fresh(ctx, "carry", carry)
    steps = scanned or (_counter(ctx, length),)
    slices = [
        ctx.builder.new_value(f"slice_{i}", element_type(v), ctx.dims(v)[1:])
        for i, v in enumerate(steps)
    ]
    used = slices if scanned else []
    graph = _branch_graph(
        ctx,
        (*carried, *slices),
        lambda branch: branch.lower_jaxpr(jaxpr, (*consts, *carried, *used)),
        "body",
    )
    return ctx.several(
        "Scan",
        *carry,
        *steps,
        body=graph,
        num_scan_inputs=len(steps),
        scan_input_directions=[1] * len(steps) if reverse else None,
        scan_output_directions=[1] * len(stacked) if reverse and stacked else None,
        types=ctx.out_types,
    )


def _counter(ctx: Context, length: Dim) -> ir.Value:
    if isinstance(length, int):
        return ctx.builder.constant(np.zeros(length, np.bool_))
    zero = ctx.builder.constant(np.asarray(False))
    return ctx.broadcast(zero, (length,))
