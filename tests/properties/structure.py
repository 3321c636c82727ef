"""Rows of primitives that move elements, index and control the flow."""
# ruff: noqa: D103  # The names of rows are the documentation.

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from hypothesis import strategies as st
from jax import lax

from tests.properties.programs import Draw, Value
from tests.properties.rows import (
    Made,
    alike,
    anything,
    both,
    either,
    exact,
    filled,
    floating,
    number,
    ranked,
    row,
    small,
    whole,
)

# -- shapes --------------------------------------------------------------------------------------


@row(anything)
def flatten(draw: Draw, x: Value) -> Made:
    return jnp.ravel, x


@row(anything)
def reshape(draw: Draw, x: Value) -> Made:
    sizes = draw(st.permutations([*x.shape, 1]))
    return lambda v: v.reshape(sizes), x


@row(filled)
def merge(draw: Draw, x: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda v: jnp.expand_dims(v, axis).reshape(*v.shape[:axis], -1), x


@row(ranked)
def transpose(draw: Draw, x: Value) -> Made:
    order = draw(st.permutations(range(len(x.shape))))
    return lambda v: v.transpose(order), x


@row(anything)
def expand(draw: Draw, x: Value) -> Made:
    axis, size = draw(st.integers(0, len(x.shape))), draw(st.sampled_from([1, 2, 0]))
    return lambda v: jnp.repeat(jnp.expand_dims(v, axis), size, axis), x


@row(ranked)
def flip(draw: Draw, x: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda v: jnp.flip(v, axis), x


@row(ranked)
def roll(draw: Draw, x: Value) -> Made:
    axis, by = draw(st.integers(0, len(x.shape) - 1)), draw(st.integers(-2, 2))
    return lambda v: jnp.roll(v, by, axis), x


@row(ranked)
def stride(draw: Draw, x: Value) -> Made:
    axis, start = draw(st.integers(0, len(x.shape) - 1)), draw(st.integers(0, 2))
    step = draw(st.sampled_from([1, 2, -1]))
    index = (slice(None),) * axis + (slice(start if step > 0 else None, None, step),)
    return lambda v: v[index], x


@row(number)
def pad(draw: Draw, x: Value) -> Made:
    config = [
        (draw(st.integers(-1, 2)), draw(st.integers(0, 2)), draw(st.integers(0, 1)))
        if size > 1
        else (1, 0, 0)
        for size in x.shape
    ]
    return lambda v: lax.pad(v, jnp.ones((), v.dtype), config), either(x, x.holds(1, 1, 0))


@row(ranked, both(ranked, alike))
def concatenate(draw: Draw, x: Value, y: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda a, b: jnp.concatenate([a, b], axis), either(x, y)


@row(anything, alike)
def stack(draw: Draw, x: Value, y: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape)))
    return lambda a, b: jnp.stack([a, b], axis), either(x, y)


# -- indexing ------------------------------------------------------------------------------------


@row(filled, whole)
def take(draw: Draw, x: Value, index: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    mode = draw(st.sampled_from(["clip", "wrap"]))
    return lambda v, i: jnp.take(v, i, axis, mode=mode), x


@row(filled, whole)
def dynamic_slice(draw: Draw, x: Value, index: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    size = draw(st.integers(1, x.shape[axis]))

    def function(v: Any, i: Any) -> Any:
        return lax.dynamic_slice_in_dim(v, i.sum(dtype=jnp.int32), size, axis)

    return function, x


@row(filled, filled)
def update(draw: Draw, x: Value, y: Value) -> Made:
    start = draw(st.integers(-1, 3))

    def function(v: Any, u: Any) -> Any:
        part = jnp.ravel(u)[: v.shape[0]].astype(v.dtype)
        part = jnp.broadcast_to(
            part.reshape(-1, *(1 for _ in v.shape[1:])), (len(part), *v.shape[1:])
        )
        return lax.dynamic_update_slice_in_dim(v, part, start, 0)

    if x.dtype != y.dtype:
        return lambda v, u: v, x
    return function, either(x, y)


@row(both(small, filled), whole)
def scatter(draw: Draw, x: Value, index: Value) -> Made:
    add = draw(st.booleans())

    def function(v: Any, i: Any) -> Any:
        places = v.at[i.reshape(-1)]
        return places.add(1) if add else places.set(1)

    n = max(index.size, 1)
    return function, x.holds(x.bound + n, min(x.step, 1), x.error)


# -- control flow --------------------------------------------------------------------------------


@row(exact, floating)
def cond(draw: Draw, which: Value, x: Value) -> Made:
    def function(c: Any, v: Any) -> Any:
        return lax.cond(c.sum() > 0, jnp.sin, lambda u: u * u.dtype.type(0.5), v)

    return function, x.inexact(max(x.bound, 1))


@row(both(small, ranked))
def scan(draw: Draw, x: Value) -> Made:
    back = draw(st.booleans())

    def function(v: Any) -> Any:
        start = jnp.zeros(v.shape[1:], v.dtype)
        return lax.scan(lambda c, r: (c + r, c - r), start, v, reverse=back)[1]

    n = x.shape[0] + 1
    return function, x.holds(x.bound * n, x.step, x.error * n)


@row(small)
def loop(draw: Draw, x: Value) -> Made:
    count = draw(st.integers(0, 3))

    def function(v: Any) -> Any:
        return lax.fori_loop(0, count, lambda i, c: c + i.astype(c.dtype), v)

    return function, x.holds(x.bound + 3, min(x.step, 1), x.error)


@row(exact)
def halved(draw: Draw, x: Value) -> Made:
    def function(v: Any) -> Any:
        _, n = lax.while_loop(
            lambda c: c[0] > 1, lambda c: (c[0] / 2, c[1] + 1), (jnp.abs(v).sum(dtype="float32"), 0)
        )
        return jnp.full(v.shape, n)

    return function, Value((), x.dtype, 64)


@row(both(floating, ranked))
def mapped(draw: Draw, x: Value) -> Made:
    return jax.vmap(lambda v: jnp.tanh(v) + v.mean() if v.size else v), x.inexact(x.bound + 1, 2)
