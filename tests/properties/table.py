"""The primitives that random programs consist of, with their operands and rounding."""
# ruff: noqa: D103  the names say it

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from hypothesis import strategies as st
from jax import lax

from tests.properties.programs import Draw, Function, Row, Value

ROWS: list[Row] = []
Made = tuple[Function, Value]


def row(*takes: Callable[..., bool]) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Enters the decorated function in the table."""

    def enter(make: Callable[..., Made]) -> Callable[..., Made]:
        ROWS.append(Row(make.__name__.strip("_"), takes, make))
        return make

    return enter


def rows(names: str, *takes: Callable[..., bool], like: Callable[..., Value]) -> None:
    """Enters several primitives of one kind; ``like`` tells what their results are."""
    for name in names.split():
        function = getattr(jnp, name, None) or getattr(lax, name)
        ROWS.append(Row(name, takes, lambda draw, *xs, f=function: (f, like(*xs))))


# -- which operands ------------------------------------------------------------------------------


def anything(*values: Value) -> bool:
    return True


def number(*values: Value) -> bool:
    return values[-1].dtype.kind != "b"


def floating(*values: Value) -> bool:
    return values[-1].is_float


def exact(*values: Value) -> bool:
    """Numbers that a function with jumps may be asked of."""
    return values[-1].dtype.kind != "b" and values[-1].is_exact


def exact_float(*values: Value) -> bool:
    return values[-1].is_float and values[-1].is_exact


def whole(*values: Value) -> bool:
    return values[-1].is_int


def boolean(*values: Value) -> bool:
    return values[-1].dtype.kind == "b"


def ranked(*values: Value) -> bool:
    return bool(values[-1].shape)


def filled(*values: Value) -> bool:
    """Some axis, and no element missing."""
    return values[-1].size > 0 and bool(values[-1].shape)


def both(*conditions: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *values: all(condition(*values) for condition in conditions)


def alike(*values: Value) -> bool:
    """The same type as the operand before."""
    *_, a, b = values
    return a.shape == b.shape and a.dtype == b.dtype


def joins(*values: Value) -> bool:
    """The same dtype, and a shape that broadcasts with the one before."""
    *_, a, b = values
    pairs = zip(a.shape[::-1], b.shape[::-1], strict=False)
    return a.dtype == b.dtype and all(m == n or 1 in (m, n) for m, n in pairs)


# -- elementwise ---------------------------------------------------------------------------------


def _same(x: Value, *_: Value) -> Value:
    return x


def _boolean(*_: Value) -> Value:
    return Value((), jnp.dtype(bool), 1)


def _sum(a: Value, b: Value) -> Value:
    return a.holds(a.bound + b.bound, min(a.step, b.step), a.error + b.error)


def _product(a: Value, b: Value) -> Value:
    error = a.error * b.bound + b.error * a.bound + a.error * b.error
    return a.holds(a.bound * b.bound, a.step * b.step, error)


def _either(a: Value, b: Value, *more: Value) -> Value:
    first = a.holds(max(a.bound, b.bound), min(a.step, b.step), max(a.error, b.error))
    return _either(first, *more) if more else first


def small(*values: Value) -> bool:
    """Numbers whose products stay in range of any type."""
    return values[-1].dtype.kind != "b" and values[-1].bound <= 100


rows("neg abs", number, like=_same)
rows("sign", exact, like=lambda x: x.holds(1, 1, 0))
rows("floor ceil round", exact_float, like=lambda x: x.holds(x.bound + 1, 1, 0))
rows("sin cos tanh logistic erf arctan", floating, like=lambda x: x.inexact(1.6, 1.2))
rows("isfinite", floating, like=_boolean)
rows("add subtract", number, both(number, joins), like=_sum)
rows("multiply", small, both(small, joins), like=_product)
rows("maximum minimum", number, both(number, alike), like=_either)
rows("equal not_equal less greater_equal", exact, both(exact, joins), like=_boolean)
rows("bitwise_and bitwise_or bitwise_xor", boolean, joins, like=_same)
rows("bitwise_not", boolean, like=_same)
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
        return lambda c, a, b: jnp.where(jnp.all(c), a, b), _either(x, y)
    return jnp.where, _either(x, y)


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
    return lambda v: lax.pad(v, jnp.ones((), v.dtype), config), _either(x, x.holds(1, 1, 0))


@row(ranked, both(ranked, alike))
def concatenate(draw: Draw, x: Value, y: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape) - 1))
    return lambda a, b: jnp.concatenate([a, b], axis), _either(x, y)


@row(anything, alike)
def stack(draw: Draw, x: Value, y: Value) -> Made:
    axis = draw(st.integers(0, len(x.shape)))
    return lambda a, b: jnp.stack([a, b], axis), _either(x, y)


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


# -- products ------------------------------------------------------------------------------------


@row(both(small, ranked), both(small, ranked))
def dot(draw: Draw, x: Value, y: Value) -> Made:
    common = [(i, j) for i, m in enumerate(x.shape) for j, n in enumerate(y.shape) if m == n]
    pairs = [draw(st.sampled_from(common))] if common and x.dtype == y.dtype else []
    n = max(x.shape[pairs[0][0]], 1) if pairs else 1
    contract = ([i for i, _ in pairs], [j for _, j in pairs])

    def function(a: Any, b: Any) -> Any:
        return lax.dot_general(a, b.astype(a.dtype), (contract, ([], [])))

    made = _product(x, y)
    return function, made.holds(made.bound * n, made.step, made.error * n)


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


@row(both(floating, ranked))
def mapped(draw: Draw, x: Value) -> Made:
    return jax.vmap(lambda v: jnp.tanh(v) + v.mean() if v.size else v), x.inexact(x.bound + 1, 2)
