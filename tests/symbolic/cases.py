"""Functions of inputs with symbolic dimensions, by family.

A shape is written "B, T, 4". A shape that begins with "i:" is that of integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax2onnx import onnx_function


class Case(NamedTuple):
    """A function, the shapes of its inputs, and constraints on their symbolic sizes."""

    function: Callable[..., Any]
    shapes: tuple[str, ...]
    constraints: tuple[str, ...]


CASES: dict[str, Case] = {}


def case(name: str, function: Callable[..., Any], *shapes: str, given: str = "") -> None:
    """Add a case to the table."""
    assert name not in CASES, name
    CASES[name] = Case(function, shapes, (given,) if given else ())


def each(family: str, names: str, function: Callable[[Any, Any], Any], *shapes: str) -> None:
    """Add a case for each of several functions of ``jax.numpy`` or ``jax.lax``."""
    for name in names.split():
        f = getattr(jnp, name, None) or getattr(lax, name)
        case(f"{family} {name}", lambda x, f=f: function(f, x), *shapes)


# -- expressions of dimensions -------------------------------------------------------------------

case("arange", lambda x: x + jnp.arange(x.shape[0])[:, None], "B, 4")
case("arange by steps", lambda x: jnp.arange(0, 2 * x.shape[0], 2) + x.sum(), "B, 4")
case("arange backwards", lambda x: jnp.arange(x.shape[0] - 1, -1, -1) * x[:, 0], "B, 4")
case("linspace", lambda x: jnp.linspace(0.0, 1.0, x.shape[0])[:, None] + x, "B + 1, 4")
case("eye", lambda x: jnp.eye(x.shape[0], k=1) @ x, "B, 4")
case("tril triu", lambda x: jnp.tril(x) - jnp.triu(x, 1), "B, T")
case("zeros", lambda x: jnp.zeros((x.shape[0], 3)) + x.sum(), "B, 4")
case("full", lambda x: jnp.full((2 * x.shape[0],), x.shape[0]) + x.sum(), "B, 4")
case("a size as a number", lambda x: x * x.shape[0] / x.size + jnp.sqrt(x.shape[1]), "B, T")
case("a size as an array", lambda x: jnp.asarray(x.shape[0], jnp.float32) + x, "B, T")
case("sizes as an array", lambda x: jnp.array([x.shape[0], x.shape[1], 3]) + x.sum(), "B, T")
case("halves", lambda x: (x[: x.shape[0] // 2], x[x.shape[0] // 2 :]), "B, 4")
case("remainder", lambda x: x[x.shape[0] % 2 :], "B, 4")
case("max of sizes", lambda x: jnp.zeros(jax.core.max_dim(x.shape[0], 5)) + x.sum(), "B, 4")
case("min of sizes", lambda x: x[: jax.core.min_dim(x.shape[0], 2)], "B, 4")
case("expression", lambda x: jnp.arange((x.shape[0] + 3) // 2 * 2 - x.shape[0] % 3), "B, 4")
case("polynomial", lambda x: jnp.zeros((x.shape[0] ** 2 + 2 * x.shape[0],)) + x.sum(), "B, 4")
case("comparison", lambda x: jnp.where(x.shape[0] >= 1, x, 0), "B, T")
case("twice", lambda x: x.reshape(-1, 2), "2*B")
case("one more", lambda x: x[1:] - x[:-1], "B + 1, 3")
case("product", lambda x, y: x.reshape(y.shape[0], -1) + y[:, :1], "B*T", "B, T")
case("sum", lambda x, y: x[: y.shape[0]] + y, "B + T", "B")
case("a sum is solved", lambda x, y: jnp.zeros(x.shape[0] - y.shape[0]) + y.sum(), "2*T + B", "B")
case("several inputs", lambda x, y: jnp.concatenate([x, y]), "B, 3", "T, 3")

# -- shapes --------------------------------------------------------------------------------------

case("reshape", lambda x: x.reshape(x.shape[0] * x.shape[1], 4), "B, T, 4")
case("flatten", lambda x: x.reshape(x.shape[0], -1).sum(1), "B, T, 4")
case("there and back", lambda x: jnp.sin(x.reshape(-1, 4)).reshape(x.shape), "B, T, 4")
case(
    "heads",
    lambda x: x.reshape(*x.shape[:2], 2, 2).transpose(0, 2, 1, 3).reshape(-1, x.shape[1], 2),
    "B, T, 4",
)
case("ravel", jnp.ravel, "B, T")
case("broadcast", lambda x: jnp.broadcast_to(x[:, None], (x.shape[0], x.shape[0], 4)), "B, 4")
case("broadcast a row", lambda x: jnp.broadcast_to(x[0], (x.shape[0], 4)), "B, 4")
case("transpose", lambda x: jnp.moveaxis(x, 2, 0).swapaxes(1, 2), "B, T, 4")
case("stack", lambda x: jnp.stack([x, x * 2], 1), "B, T")
case("concatenate", lambda x: jnp.concatenate([jnp.zeros((2, 4)), x, x]), "B, 4")
case("concatenate columns", lambda x: jnp.concatenate([x, x, x], axis=1), "B, T")
case("tile", lambda x: jnp.tile(x, (2, 3)), "B, T")
case("tile by a size", lambda x: jnp.tile(x[0], (x.shape[0], 1)), "B, 4")
case("repeat", lambda x: jnp.repeat(x, 3, axis=0), "B, T")
case("repeat by a size", lambda x: jnp.repeat(x, x.shape[0], axis=1), "B, 4")
case("roll", lambda x: jnp.roll(x, (1, -2), axis=(0, 1)), "B, T")
case("roll flat", lambda x: jnp.roll(x, 3), "B, T")
case("flip", lambda x: jnp.rot90(jnp.flip(x, 0)), "B, T")
case("pad", lambda x: jnp.pad(x, ((1, 2), (0, 1))), "B, T")
case("pad to", lambda x: jnp.pad(x, ((0, 10 - x.shape[0]), (0, 0))), "B, 4", given="B <= 10")
case("pad between", lambda x: lax.pad(x, 0.0, ((1, 1, 1), (0, -1, 0))), "B, 4")
case("pad between and cut", lambda x: lax.pad(x, 0.0, ((-1, 2, 2), (0, 0, 0))), "B, 4")
for _mode in ("edge", "maximum", "mean", "linear_ramp"):
    case(f"pad {_mode}", lambda x, m=_mode: jnp.pad(x, ((1, 1), (1, 1)), mode=m), "B, T")
for _mode in ("reflect", "symmetric"):
    case(
        f"pad {_mode}",
        lambda x, m=_mode: jnp.pad(x, ((1, 1), (0, 0)), mode=m),
        "B + 1, 4",
        given="B >= 1",
    )
case("split", lambda x: jnp.split(x, 2, axis=0), "2*B, 4")
case("split at", lambda x: jnp.split(x, [1], axis=0), "B + 1, 4")
case("meshgrid", jnp.meshgrid, "B", "T")
case("insert delete", lambda x: (jnp.insert(x, 1, 5.0, axis=1), jnp.delete(x, 1, axis=1)), "B, 4")
case("diagonal", lambda x: (jnp.diag(x[0]), jnp.diagonal(x), jnp.trace(x)), "B, B")
case("kron outer", lambda x: (jnp.kron(x, jnp.ones((2, 2))), jnp.outer(x, x)), "B, T")

# -- products ------------------------------------------------------------------------------------

case("matmul", lambda x, y: x @ y, "B, T", "T, 3")
case("matmul of itself", lambda x: x @ x.T, "B, T")
case("batched matmul", lambda x, y: x @ y, "B, T, 4", "B, 4, 3")
case("tensordot", lambda x, y: jnp.tensordot(x, y, 2), "S, B, T", "B, T, 3")
case("vdot inner", lambda x: (jnp.vdot(x, x), jnp.inner(x, x)), "B, T")
case("einsum", lambda x, y: jnp.einsum("btd,bsd->bts", x, y), "B, T, 4", "B, S, 4")
case("einsum of a diagonal", lambda x: jnp.einsum("bb->b", x), "B, B")
case("einsum of three", lambda x, y: jnp.einsum("bi,ij,bj->b", x, y, x), "B, 4", "4, 4")
case(
    "dot_general",
    lambda x, y: lax.dot_general(x, y, (((2,), (1,)), ((0,), (0,)))),
    *("B, T, 4", "B, 4, S"),
)

# -- reductions ----------------------------------------------------------------------------------

_REDUCTIONS = "sum mean max min prod std var any all argmax argmin nansum nanmax median"
each("rows", _REDUCTIONS, lambda f, x: f(x, axis=0), "B, T")
each("whole", "sum mean max var argmax ptp count_nonzero median", lambda f, x: f(x), "B, T")
each("along", "cumsum cumprod cummax cummin cumlogsumexp", lambda f, x: f(x, axis=0), "B, T")
each("back", "cumsum cummax", lambda f, x: lax.rev(f(lax.rev(x, [1]), axis=1), [1]), "B, T")
case("logsumexp", lambda x: jax.scipy.special.logsumexp(x, axis=0), "B, T")
case("quantile", lambda x: jnp.quantile(x, jnp.array([0.1, 0.5]), axis=1), "B, T")
case("norm", lambda x: (jnp.linalg.norm(x, axis=0), jnp.linalg.norm(x)), "B, T")
case("reduce", lambda x: lax.reduce(x, 0.0, lax.add, (0,)), "B, T")
case("monoid", lambda x: lax.reduce(x, 1.0, lambda a, b: a * b + 0 * a, (0,)), "B, T")
case("monoid of all", lambda x: lax.reduce(x, 1.0, lambda a, b: a * b + 0 * a, (0, 1)), "B, T")
case("associative_scan", lambda x: lax.associative_scan(jnp.add, x, axis=1), "B, 4")
case("diff", lambda x: (jnp.diff(x, axis=0), jnp.gradient(x, axis=1)), "B + 1, 3")
case("histogram", lambda x: jnp.histogram(x, bins=5, range=(-1, 1))[0], "B")
case("bincount", lambda x: jnp.bincount(x, length=5), "i: B")

# -- sorting -------------------------------------------------------------------------------------

case("sort", lambda x: (jnp.sort(x, axis=0), jnp.argsort(x, axis=0)), "B, T")
case("sort by keys", lambda x, y: lax.sort((x, y), num_keys=1), "B", "B")
case("lexsort", lambda x: jnp.lexsort((x[:, 0], x[:, 1])), "B, 4")
case("top_k", lambda x: lax.top_k(x, 2), "B, 4")
case("top 1", lambda x: lax.top_k(x, 1), "B, T")
case("searchsorted", lambda y: jnp.searchsorted(jnp.arange(5.0), y), "T")
case("unique", lambda x: jnp.unique(x, size=3), "i: B")
case("nonzero", lambda x: jnp.nonzero(x > 0, size=x.shape[0], fill_value=-1), "B, 4")

# -- indexing ------------------------------------------------------------------------------------

case("last", lambda x: x[-1], "B, T")
case("last by its number", lambda x: x[jnp.asarray(x.shape[0]) - 1], "B, T")
case("column", lambda x: x[:, 0], "B, T")
case("to a size", lambda x: x[:, : x.shape[0]], "B, B + T")
case("by steps", lambda x: (x[::2], x[1::2], x[::-1]), "B, 4")
case("beyond", lambda x: x[:5], "B, 4")
case("of a table", lambda x: jnp.ones((512, 4))[: x.shape[0]] + x, "B, 4", given="B <= 512")
case("gather", lambda x, i: x[i % x.shape[0]], "B, T", "i: S")
case("gather of two", lambda x, i: x[i % x.shape[0], i % x.shape[1]], "B, T", "i: S, 2")
case("gather by row", lambda x, i: x[jnp.arange(x.shape[0]), i % 4], "B, 4", "i: B")
case("gather clip", lambda x, i: jnp.take(x, i * 5, axis=0, mode="clip"), "B, T", "i: S")
case("gather fill", lambda x, i: jnp.take(x, i * 5, axis=0, mode="fill"), "B, T", "i: S")
case("embedding", lambda x, i: x[i], "10, 4", "i: B, T")
case("take_along_axis", lambda x: jnp.take_along_axis(x, jnp.argsort(x, 0), 0), "B, T")
case("set", lambda x: x.at[-1].set(1.0), "B, T")
case("set a slice", lambda x: x.at[1:].set(1.0), "B + 1, 3")
case("add at", lambda x, i, u: x.at[i].add(u), "B, T", "i: S", "S, T")
case("max at", lambda x, i: x.at[:, i % 4].max(1.0), "B, 4", "i: S")
case("segments", lambda x, i: jax.ops.segment_sum(x, i, x.shape[0]), "B, 4", "i: B")
case("dynamic_slice", lambda x, i: lax.dynamic_slice(x, (i[0], 0), (1, x.shape[1])), "B, T", "i: B")
case(
    "update", lambda x, i: lax.dynamic_update_slice(x, jnp.ones((1, 4)), (i[0], 0)), "B, 4", "i: B"
)
case("update a cache", lambda c, x: lax.dynamic_update_slice(c, x, (0, 0)), "B + T, 4", "B, 4")
case("one_hot", lambda x, i: jax.nn.one_hot(i, x.shape[0]), "B, 4", "i: S")
case("select", lambda x: jnp.select([x > 0, x < -1], [x, x * 2], 3.0), "B, T")
case("ix_", lambda x: x[jnp.ix_(jnp.arange(x.shape[0]), jnp.array([0, 2]))], "B, 4")

# -- elementwise ---------------------------------------------------------------------------------

each("elementwise", "sin log1p expm1 sign isnan arctan", lambda f, x: f(x), "B, T")
case("outer sum", lambda x, y: x[:, None] + y[None], "B", "T")
case("gammaln erf", lambda x: jax.scipy.special.gammaln(jnp.abs(x)) + lax.erf(x), "B, T")
case("gammainc", lambda x: jax.scipy.special.gammainc(1.5, jnp.abs(x)), "B, T")
case("complex", lambda x: jnp.abs((jnp.exp(1j * x)) @ (x.T + 0j)), "B, T")
case("fft", lambda x: jnp.abs(jnp.fft.fft(x, axis=1)), "B, 4")
case("fft of any size", lambda x: jnp.abs(jnp.fft.fft(x, axis=1)), "B, T")
case("bits", lambda x: (lax.bitcast_convert_type(x, jnp.int32) >> 3, x.astype(jnp.int8)), "B, T")
case("integers", lambda i: (i // 3, i % 3, lax.population_count(i)), "i: B, T")

# -- transformations -----------------------------------------------------------------------------

case("vmap", lambda x, w: jax.vmap(lambda r: w @ r, out_axes=1)(x), "B, 4", "3, 4")
case("vmap twice", jax.vmap(jax.vmap(lambda r: r / jnp.linalg.norm(r))), "B, T, 4")
case("vmap gather", jax.vmap(lambda r, k: r[k]), "B, T", "i: B")
case("vmap scatter", jax.vmap(lambda r, k: r.at[k].set(0.0)), "B, T", "i: B")
case(
    "vmap dynamic_slice",
    jax.vmap(lambda r, k: lax.dynamic_slice(r, (k,), (2,))),
    *("B, 4", "i: B"),
)
case("vmap cond", jax.vmap(lambda r: lax.cond(r.sum() > 0, jnp.sin, jnp.cos, r)), "B, T")
case(
    "vmap while",
    jax.vmap(lambda r: lax.while_loop(lambda c: c.sum() < 3, lambda c: c + 1, jnp.abs(r))),
    "B, T",
)
case("vmap scan", jax.vmap(lambda r: lax.scan(lambda c, a: (c + a, c), 0.0, r)), "B, T")
case("grad", jax.grad(lambda v: (jax.nn.softmax(v) * v).mean()), "B, T")
case("grad gather", lambda x, i: jax.grad(lambda v: (v[i % 2] ** 2).sum())(x), "B + 1, T", "i: S")
case("grad max", jax.grad(lambda v: v.max(0).sum()), "B, T")
case("grad sort", jax.grad(lambda v: (jnp.sort(v, 0) ** 3).sum()), "B, T")
case("grad cumsum", jax.grad(lambda v: (jnp.cumsum(v, 0) ** 2).sum()), "B, T")
case(
    "grad scan",
    jax.grad(lambda v: lax.scan(lambda c, a: (c * jnp.sin(a), None), jnp.ones(()), v)[0]),
    "B",
)
case(
    "grad matmul",
    lambda x, w: jax.grad(lambda w: (jax.nn.relu(x @ w) ** 2).mean())(w),
    "B, 4",
    "4, 3",
)
case("hessian", jax.vmap(jax.hessian(lambda r: (r**3).sum())), "B, 4")

# -- control flow --------------------------------------------------------------------------------

case("scan", lambda x: lax.scan(lambda c, r: (c + r, c.sum()), jnp.zeros(4), x), "B, 4")
case(
    "scan columns",
    lambda x: lax.scan(lambda c, r: (c + r, c * r), jnp.zeros(x.shape[0]), x.T),
    "B, 4",
)
case("scan back", lambda x: lax.scan(lambda c, r: (c / 2 + r, c), x[0], x, reverse=True), "B, T")
case(
    "scan, a size inside",
    lambda x: lax.scan(
        lambda c, r: (c + jnp.arange(x.shape[0]) * r.sum(), None), jnp.zeros(x.shape[0]), x
    )[0],
    "B, 4",
)
case(
    "scan in scan",
    lambda x: lax.scan(
        lambda c, r: (c + lax.scan(lambda d, e: (d + e, None), 0.0, r)[0], None), 0.0, x
    )[0],
    "B, T",
)
case("map", lambda x: lax.map(lambda r: r / r.sum(), x), "B, T")
case("map by batches", lambda x: lax.map(lambda r: r * 2, x, batch_size=2), "2*B, 4")
case(
    "fori_loop", lambda x: lax.fori_loop(0, x.shape[0], lambda i, c: c + x[i], jnp.zeros(4)), "B, 4"
)
case(
    "fori_loop sets",
    lambda x: lax.fori_loop(0, x.shape[0], lambda i, c: c.at[i].set(x[i] * i), x * 0),
    "B, 4",
)
case(
    "while",
    lambda x: lax.while_loop(
        lambda s: s[0] < x.shape[0], lambda s: (s[0] + 1, s[1] + x[s[0]]), (0, x[0] * 0)
    )[1],
    "B, T",
)
case(
    "while any",
    lambda x: lax.while_loop(lambda c: (c < 2).any(), lambda c: c + x.shape[0], x),
    "B, T",
)
case("cond", lambda x: lax.cond(x.sum() > 0, lambda v: v * 2, lambda v: v - v.shape[0], x), "B, T")
case("cond on a size", lambda x: lax.cond(jnp.asarray(x.shape[0]) > 2, jnp.sin, jnp.cos, x), "B, T")
case(
    "switch",
    lambda x: lax.switch(jnp.asarray(x.shape[0]) % 3, [jnp.sin, jnp.cos, lambda v: v * v.size], x),
    "B, T",
)
case("jit", jax.jit(lambda v: v * v.shape[0] + jnp.arange(v.shape[1])), "B, T")


@onnx_function
def block(x: Any) -> Any:
    """Compute something that needs sizes, as an ONNX function."""
    return x * x.shape[0] + jnp.arange(x.shape[1])


case("function", lambda x: block(block(x)), "B, T")
case("function, two shapes", lambda x, y: (block(x), block(y)), "B, T", "2*B, T + 1")

# -- convolutions and pools ----------------------------------------------------------------------

_KERNEL: Any = np.random.default_rng(0).standard_normal((3, 3, 3, 5), np.float32)
_NHWC = ("NHWC", "HWIO", "NHWC")


def _conv(x: Any, stride: int = 1, padding: Any = "SAME", **more: Any) -> Any:
    return lax.conv_general_dilated(
        x, _KERNEL, (stride, stride), padding, dimension_numbers=_NHWC, **more
    )


def _pool(x: Any, monoid: Any, init: float, size: int, stride: int, padding: str) -> Any:
    return lax.reduce_window(x, init, monoid, (1, size, size, 1), (1, stride, stride, 1), padding)


case("conv", _conv, "B, 8, 8, 3")
case("conv of any size", _conv, "B, H, W, 3")
case("conv by two", lambda x: _conv(x, 2), "B, H, W, 3")
case("conv valid", lambda x: _conv(x, 1, "VALID"), "B, H + 2, W + 2, 3")
case("conv padded", lambda x: _conv(x, 2, ((1, 1), (1, 1))), "B, H + 2, W + 2, 3")
case("conv dilated", lambda x: _conv(x, rhs_dilation=(2, 2)), "B, H + 4, W + 4, 3")
case(
    "conv_transpose",
    lambda x: lax.conv_transpose(x, _KERNEL, (2, 2), "SAME", dimension_numbers=_NHWC),
    "B, H, W, 3",
)
case("conv grad", jax.grad(lambda v: (_conv(v) ** 2).sum()), "B, 8, 8, 3")
case("patches", lambda x: x.reshape(-1, x.shape[1] // 4, 4, 8, 3).sum(2), "B, 4*H, 8, 3")
case("max pool", lambda x: _pool(x, lax.max, -jnp.inf, 2, 2, "VALID"), "B, 2*H, 2*W, 3")
case("max pool same", lambda x: _pool(x, lax.max, -jnp.inf, 3, 2, "SAME"), "B, 2*H, 2*W, 3")
case("avg pool", lambda x: _pool(x, lax.add, 0.0, 3, 1, "SAME"), "B, H, W, 3")
case("global pool", lambda x: x.mean((1, 2)), "B, H, W, 3")
case(
    "max pool grad",
    jax.grad(lambda v: _pool(v, lax.max, -jnp.inf, 2, 2, "VALID").sum()),
    "B, 8, 8, 3",
)
case("resize", lambda x: jax.image.resize(x, (x.shape[0], 16, 4, 3), "bilinear"), "B, 8, 8, 3")
case(
    "resize any size",
    lambda x: jax.image.resize(x, (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], 3), "nearest"),
    "B, H, W, 3",
)

# -- layers --------------------------------------------------------------------------------------

_attention = jax.nn.dot_product_attention
case("attention", lambda q, k: _attention(q, k, k), "B, T, 2, 4", "B, S, 2, 4")
case("causal attention", lambda q: _attention(q, q, q, is_causal=True), "B, T, 2, 4")
case("grouped queries", lambda q, k: _attention(q, k, k), "B, T, 4, 4", "B, S, 2, 4")
case(
    "attention of some",
    lambda q, n: _attention(q, q, q, key_value_seq_lengths=jnp.clip(n, 1, q.shape[1])),
    *("B, T, 2, 4", "i: B"),
)
case("softmax", lambda x: jax.nn.softmax(x, axis=0) - jax.nn.log_softmax(x), "B, T")
case("standardize", jax.nn.standardize, "B, T")
case("glu", lambda x: jax.nn.glu(x) + jax.nn.silu(x[:, :2]), "B, 4")
case("positions", lambda x: x + jnp.sin(jnp.arange(x.shape[1])[:, None] / 10), "B, T, 4")
case(
    "recurrence",
    lambda x: lax.scan(
        lambda h, r: (jnp.tanh(h + r), h), jnp.zeros((x.shape[0], 4)), jnp.swapaxes(x, 0, 1)
    ),
    "B, T, 4",
)

# -- linear algebra ------------------------------------------------------------------------------


def _definite(x: Any) -> Any:
    return x @ jnp.swapaxes(x, -1, -2) + 3 * jnp.eye(x.shape[-2])


case("cholesky", lambda x: jnp.linalg.cholesky(_definite(x)), "B, 3, 3")
case("solve", lambda x: jnp.linalg.solve(_definite(x), x), "B, 3, 3")
case("det inv", lambda x: (jnp.linalg.det(x), jnp.linalg.inv(_definite(x))), "B, 3, 3")
case("eigvalsh", lambda x: jnp.linalg.eigvalsh(_definite(x)), "B, 3, 3")
case("singular values", lambda x: jnp.linalg.svd(x, compute_uv=False), "B, 3, 3")
case("cholesky of any size", lambda x: jnp.linalg.cholesky(_definite(x)), "B, 4")
case("inv of any size", lambda x: jnp.linalg.inv(_definite(x)), "B, 4")
case("eigvalsh of any size", lambda x: jnp.linalg.eigvalsh(x @ x.T), "B, 4")
case("many right sides", lambda x, y: jnp.linalg.solve(_definite(x), y), "3, 3", "3, B")

# -- random numbers ------------------------------------------------------------------------------

_KEY = jax.random.key(0)
case("random bits", lambda x: jax.random.bits(_KEY, x.shape), "B, T")
case("normal", lambda x: jax.random.normal(_KEY, x.shape) * x, "B, T")
case("split keys", lambda x: jax.random.key_data(jax.random.split(_KEY, x.shape[0])), "B, 4")
case("dropout", lambda x: jnp.where(jax.random.bernoulli(_KEY, 0.5, x.shape), x * 2, 0), "B, T")
case("categorical", lambda x: jax.random.categorical(_KEY, x), "B, T")
