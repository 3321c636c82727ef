"""Primitives that compute: elementwise, reductions, products."""
# ruff: noqa: D103  # The names of rows are the documentation.

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax

from tests.properties.programs import Draw, Value
from tests.properties.rows import (
    Made,
    a_boolean,
    alike,
    anything,
    boolean,
    both,
    either,
    exact,
    exact_float,
    filled,
    floating,
    joins,
    number,
    product,
    ranked,
    row,
    rows,
    same,
    small,
    total,
    whole,
)

# -- elementwise ---------------------------------------------------------------------------------
rows("neg abs", number, like=same)
rows("sign", exact, like=lambda x: x.holds(1, 1, 0))
rows("floor ceil round", exact_float, like=lambda x: x.holds(x.bound + 1, 1, 0))
rows("sin cos tanh logistic erf arctan", floating, like=lambda x: x.inexact(1.6, 1.2))
rows("isfinite", floating, like=a_boolean)
rows("add subtract", number, both(number, joins), like=total)
rows("multiply", small, both(small, joins), like=product)
rows("maximum minimum", number, both(number, alike), like=either)
rows("equal not_equal less greater_equal", exact, both(exact, joins), like=a_boolean)
rows("bitwise_and bitwise_or bitwise_xor", boolean, joins, like=same)
rows("bitwise_not", boolean, like=same)
rows("population_count", whole, like=lambda x: x.holds(64, 1, 0))


@row(floating)
def softplus(draw: Draw, x: Value) -> Made:
    return jax.nn.softplus, x.inexact(x.bound + 1)


@row(floating)
def gelu(draw: Draw, x: Value) -> Made:
    approximate = draw(st.booleans())
    return lambda v: jax.nn.gelu(v, approximate=approximate), x.inexact(x.bound + 1, 1.2)


@row(floating)
def root(draw: Draw, x: Value) -> Made:
    return lambda v: jnp.sqrt(jnp.abs(v) + 1), x.inexact(x.bound + 1)


@row(floating, both(floating, joins))
def quotient(draw: Draw, x: Value, y: Value) -> Made:
    error = x.error + x.bound * y.error
    return lambda a, b: a / (jnp.abs(b) + 1), x.holds(x.bound, 0, error + 1e-300)


@row(whole, both(whole, joins))
def remainder(draw: Draw, x: Value, y: Value) -> Made:
    return lambda a, b: jnp.remainder(a, jnp.maximum(b, 1)), x.holds(y.bound + 1, 1, 0)


@row(boolean, anything, alike)
def where(draw: Draw, which: Value, x: Value, y: Value) -> Made:
    if which.shape != x.shape:
        return lambda c, a, b: jnp.where(jnp.all(c), a, b), either(x, y)
    return jnp.where, either(x, y)


@row(number)
def clip(draw: Draw, x: Value) -> Made:
    low, high = sorted(draw(st.lists(st.integers(0, 3), min_size=2, max_size=2)))
    return lambda v: jnp.clip(v, low, high), x.holds(3, min(x.step, 1), x.error)


@row(exact)
def convert(draw: Draw, x: Value) -> Made:
    dtype = draw(st.sampled_from(["int32", "float32", "int8", "bool", "float16"]))
    made = Value((), jnp.dtype(dtype), min(x.bound + 1, 127), 1)
    if jnp.issubdtype(jnp.dtype(dtype), jnp.floating):
        made = made.holds(x.bound, x.step, 0)
    return lambda v: jnp.clip(v, 0, 100).astype(dtype), made


@row(whole, both(whole, joins))
def divide(draw: Draw, x: Value, y: Value) -> Made:
    return lambda a, b: jnp.floor_divide(a, jnp.where(b == 0, 1, b)), x.holds(x.bound + 1, 1, 0)


@row(whole)
def shift(draw: Draw, x: Value) -> Made:
    by = draw(st.integers(0, 3))
    kind = draw(
        st.sampled_from([lax.shift_left, lax.shift_right_logical, lax.shift_right_arithmetic])
    )
    return lambda v: kind(v, jnp.full_like(v, by)), x.holds(2.0**62, 1, 0)


@row(small)
def cube(draw: Draw, x: Value) -> Made:
    error = 3 * x.error * (x.bound + x.error) ** 2
    return lambda v: v**3, x.holds(x.bound**3, x.step**3, error)


@row(both(small, floating), both(small, joins))
def complex_product(draw: Draw, x: Value, y: Value) -> Made:
    def function(a: Any, b: Any) -> Any:
        a, b = jnp.broadcast_arrays(*(v.astype(jnp.float32) for v in (a, b)))
        return jnp.imag(lax.complex(a, b) * lax.complex(b, -a))

    wide = Value((), jnp.dtype("float32"), x.bound, x.step, x.error)
    a, b = product(wide, x), product(wide, y)
    two = max(x.bound, y.bound) ** 2 * 2
    return function, wide.holds(two, min(a.step, b.step, y.step**2), 2 * (a.error + b.error))


# -- reductions and sorting ----------------------------------------------------------------------


@row(both(small, ranked))
def reduce_sum(draw: Draw, x: Value) -> Made:
    axis, keep = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    n = max(x.shape[axis], 1)
    return lambda v: v.sum(axis, keepdims=keep, dtype=v.dtype), x.holds(
        x.bound * n, x.step, x.error * n
    )


@row(both(floating, filled))
def mean(draw: Draw, x: Value) -> Made:
    axis = draw(st.sampled_from([None, *range(len(x.shape))]))
    return lambda v: v.mean(axis), x.inexact(x.bound)


@row(both(number, filled))
def reduce_max(draw: Draw, x: Value) -> Made:
    axis, least = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    return lambda v: v.min(axis) if least else v.max(axis), x


@row(both(exact, filled))
def argmax(draw: Draw, x: Value) -> Made:
    axis, least = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    return lambda v: (jnp.argmin if least else jnp.argmax)(v, axis), Value((), x.dtype, 100)


@row(both(boolean, ranked))
def any_all(draw: Draw, x: Value) -> Made:
    axis, every = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    return lambda v: v.all(axis) if every else v.any(axis), x


@row(both(small, ranked))
def cumsum(draw: Draw, x: Value) -> Made:
    axis, back = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    n = max(x.shape[axis], 1)
    return lambda v: lax.cumsum(v, axis, back), x.holds(x.bound * n, x.step, x.error * n)


@row(both(number, ranked))
def cummax(draw: Draw, x: Value) -> Made:
    axis, back = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    return lambda v: lax.cummax(v, axis, back), x


@row(both(exact, ranked))
def sort(draw: Draw, x: Value) -> Made:
    axis, down = draw(st.integers(0, len(x.shape) - 1)), draw(st.booleans())
    return lambda v: jnp.sort(v, axis, descending=down), x


@row(both(exact, ranked))
def argsort(draw: Draw, x: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda v: jnp.argsort(v, axis, stable=True), Value((), x.dtype, 100)


@row(both(floating, ranked))
def softmax(draw: Draw, x: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda v: jax.nn.softmax(v, axis), x.inexact(1.0, 2.0)


@row(both(number, filled))
def window(draw: Draw, x: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    size, stride, dilation = (draw(st.integers(1, 2)) for _ in range(3))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    if (size - 1) * dilation >= x.shape[axis]:
        padding = "SAME"
    ones = [1] * len(x.shape)

    def along(n: int) -> list[int]:
        return [*ones[:axis], n, *ones[axis + 1 :]]

    def function(v: Any) -> Any:
        least = -jnp.inf if jnp.issubdtype(v.dtype, jnp.floating) else np.iinfo(v.dtype).min
        return lax.reduce_window(
            v, jnp.asarray(least, v.dtype), lax.max, along(size), along(stride), padding,
            window_dilation=along(dilation),
        )  # fmt: skip

    return function, x


@row(both(small, ranked))
def associative(draw: Draw, x: Value) -> Made:
    axis, n = len(x.shape) - 1, max(x.shape[-1], 1)
    return lambda v: lax.associative_scan(jnp.add, v, axis=axis), x.holds(
        x.bound * n, x.step, x.error * n
    )


@row(both(exact, filled))
def top_k(draw: Draw, x: Value) -> Made:
    count = draw(st.integers(1, x.shape[-1]))
    return lambda v: lax.top_k(v, count)[0], x


@row(both(exact, filled))
def in_order(draw: Draw, x: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda v: jnp.take_along_axis(v, jnp.argsort(-v, axis, stable=True), axis), x


# -- products ------------------------------------------------------------------------------------


@row(both(small, ranked), both(small, ranked))
def dot(draw: Draw, x: Value, y: Value) -> Made:
    common = [(i, j) for i, m in enumerate(x.shape) for j, n in enumerate(y.shape) if m == n]
    pairs = [draw(st.sampled_from(common))] if common and x.dtype == y.dtype else []
    n = max(x.shape[pairs[0][0]], 1) if pairs else 1
    contract = ([i for i, _ in pairs], [j for _, j in pairs])

    def function(a: Any, b: Any) -> Any:
        return lax.dot_general(a, b.astype(a.dtype), (contract, ([], [])))

    made = product(x, y)
    return function, made.holds(made.bound * n, made.step, made.error * n)


@row(both(small, floating, filled))
def conv(draw: Draw, x: Value) -> Made:
    stride, dilation, spread = (draw(st.integers(1, 2)) for _ in range(3))
    padding = [(draw(st.integers(0, 2)), draw(st.integers(4, 5)))]

    def function(v: Any) -> Any:
        kernel = jnp.array([[[1, -2, 0.5]]], v.dtype)
        flat = v.reshape(-1, 1, v.shape[-1])
        return lax.conv_general_dilated(
            flat, kernel, (stride,), padding, lhs_dilation=(spread,), rhs_dilation=(dilation,)
        )

    return function, x.holds(3.5 * x.bound, x.step / 2, 3.5 * x.error)
