"""Examples of ``jax.lax``: shapes, indices and reductions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.coverage.example import Example, b, each, f, i, of

_X = f(3, 4)
_CUBE = f(2, 3, 4)
_IMAGE = f(2, 8, 8, 3)
_KERNEL = f(3, 3, 3, 5, fixed=True)
_NHWC = ("NHWC", "HWIO", "NHWC")


def _scatter(name: str, **options: Any) -> Any:
    numbers = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    return lambda x, k, v: getattr(lax, name)(x, k, v, numbers, **options)


_SHAPES = [
    *each(lax, "broadcast", _X, variants=({"sizes": (2, 3)},)),
    *each(
        lax,
        "broadcast_in_dim",
        _X,
        variants=({"shape": (3, 2, 4), "broadcast_dimensions": (0, 2)},),
    ),
    *of("broadcast_to_rank", lambda x: lax.broadcast_to_rank(x, 3), _X),
    *of("broadcasted_iota", lambda x: x + lax.broadcasted_iota(x.dtype, x.shape, 1), _X),
    *of("broadcast_like", lax.broadcast_like, f(1, 4, fixed=True), _X),
    *of("shape_as_value", lambda x: lax.shape_as_value(x.shape), _X),
    *of("stage", lambda x: lax.stage(x) + 1, _X),
    *of("iota", lambda x: lax.iota("int32", x.shape[0]), _X),
    *each(
        lax,
        "collapse",
        _CUBE,
        variants=({"start_dimension": 1}, {"start_dimension": 0, "stop_dimension": 2}),
    ),
    *of("concatenate", lambda x, y: lax.concatenate([x, y], 1), _X, f(3, 2)),
    *of("concatenate", lambda x, y: lax.concatenate([x, y], 0), _X, _X, variant="axis 0"),
    *each(lax, "expand_dims", _X, variants=({"dimensions": (0, 2)},)),
    *each(lax, "squeeze", f(3, 1, 4), variants=({"dimensions": (1,)},)),
    *each(lax, "reshape", _X, variants=({"new_sizes": (2, 6)},)),
    *of("reshape", lambda x: lax.reshape(x, (4, 3), (1, 0)), _X, variant="dimensions"),
    *each(lax, "rev", _CUBE, variants=({"dimensions": (0, 2)},)),
    *each(lax, "transpose", _CUBE, variants=({"permutation": (2, 0, 1)},)),
    *each(lax, "tile", _X, variants=({"reps": (2, 3)},)),
    *of("stack", lambda x, y: lax.stack([x, y], 1), _X, _X),
    *of("unstack", lambda x: lax.unstack(x, 1), _X),
    *of("full", lambda x: lax.full(x.shape, 2.0, x.dtype), _X),
    *of("full_like", lambda x: lax.full_like(x, 2.0), _X),
    *of("empty", lambda x: lax.empty(x.shape, x.dtype) * 0 + x, _X),
    *of("pad", lambda x: lax.pad(x, np.asarray(1, x.dtype), ((0, 0, 0), (1, 2, 0))), _X),
    *of(
        "pad",
        lambda x: lax.pad(x, np.asarray(1, x.dtype), ((0, 0, 0), (-1, 2, 1))),
        _X,
        variant="interior,negative",
    ),
    *of("slice", lambda x: lax.slice(x, (0, 1), (x.shape[0], 4), (1, 2)), f(3, 5)),
    *of("slice_in_dim", lambda x: lax.slice_in_dim(x, 1, 3, axis=1), _X),
    *of("split", lambda x: lax.split(x, (1, 3), 1), _X),
    *of("index_in_dim", lambda x: lax.index_in_dim(x, 2, 1), _X),
    *of("index_in_dim", lambda x: lax.index_in_dim(x, -1, 1, False), _X, variant="squeezed"),
    *of("index_take", lambda x, k: lax.index_take(x, k[None], (0,)), _X, i(2, high=3, fixed=True)),
    *of("dynamic_slice", lambda x, k: lax.dynamic_slice(x, (0, k), (2, 2)), _X, i(high=6)),
    *of("dynamic_slice_in_dim", lambda x, k: lax.dynamic_slice_in_dim(x, k, 2, 1), _X, i(high=6)),
    *of("dynamic_index_in_dim", lambda x, k: lax.dynamic_index_in_dim(x, k, 1), _X, i(high=6)),
    *of(
        "dynamic_index_in_dim",
        lambda x, k: lax.dynamic_index_in_dim(x, k, 0, False),
        _X,
        i(high=3),
        variant="squeezed",
    ),
    *of(
        "dynamic_update_slice",
        lambda x, v, k: lax.dynamic_update_slice(x, v, (0, k)),
        _X,
        f(2, 2, fixed=True),
        i(high=6),
    ),
    *of(
        "dynamic_update_slice_in_dim",
        lambda x, v, k: lax.dynamic_update_slice_in_dim(x, v, k, 1),
        _X,
        f(3, 2),
        i(high=6),
    ),
    *of(
        "dynamic_update_index_in_dim",
        lambda x, v, k: lax.dynamic_update_index_in_dim(x, v, k, 1),
        _X,
        f(3),
        i(high=6),
    ),
    *[
        e
        for mode in ("clip", "fill", "promise_in_bounds")
        for e in of(
            "gather",
            lambda x, k, m=mode: lax.gather(
                x, k, lax.GatherDimensionNumbers((1,), (0,), (0,)), (1, 4), mode=m
            ),
            f(5, 4),
            i(3, 1, high=5 if mode == "promise_in_bounds" else 8),
            variant=mode,
        )
    ],
    *[
        e
        for name in (
            "scatter",
            "scatter_add",
            "scatter_max",
            "scatter_min",
            "scatter_mul",
            "scatter_sub",
        )
        for e in of(
            name,
            _scatter(name, unique_indices=True),
            f(5, 4),
            i(1, 1, high=8, fixed=True),
            f(1, 4, fixed=True),
        )
    ],
    *[
        e
        for name in ("scatter_add", "scatter_max", "scatter_min", "scatter_mul", "scatter_sub")
        for e in of(
            name,
            _scatter(name, mode="clip"),
            f(5, 4),
            i(3, 1, high=8, fixed=True),
            f(3, 4, fixed=True),
            variant="repeated indices",
        )
    ],
    *of(
        "scatter_apply",
        lambda x, k: lax.scatter_apply(
            x,
            k,
            lambda v: v * 2 + 1,
            lax.ScatterDimensionNumbers((1,), (0,), (0,)),
            update_shape=(1, 4),
            unique_indices=True,
        ),
        f(5, 4),
        i(1, 1, high=5, fixed=True),
    ),
]

_REDUCTIONS = [
    *each(
        lax,
        "reduce_sum reduce_prod reduce_max reduce_min",
        _CUBE,
        variants=({"axes": (1,)}, {"axes": (0, 2)}),
    ),
    *each(
        lax,
        "reduce_sum reduce_prod reduce_max reduce_min reduce_and reduce_or reduce_xor",
        i(2, 3, 4),
        variants=({"axes": (1,)},),
    ),
    *each(lax, "reduce_and reduce_or reduce_xor", b(3, 4), variants=({"axes": (1,)},)),
    *each(lax, "argmax argmin", _X, variants=({"axis": 1, "index_dtype": "int32"},)),
    *of("reduce", lambda x: lax.reduce(x, np.asarray(0, x.dtype), lax.add, (1,)), _X),
    *of(
        "reduce",
        lambda x: lax.reduce(x, np.asarray(-np.inf, x.dtype), lax.max, (0, 1)),
        _X,
        variant="max",
    ),
    *of(
        "reduce",
        lambda x, y: lax.reduce(
            (x, y),
            (np.asarray(0, x.dtype), np.asarray(1, x.dtype)),
            lambda p, q: (p[0] + q[0], p[1] * q[1]),
            (1,),
        ),
        _X,
        _X,
        variant="variadic",
    ),
    *each(
        lax,
        "cumsum cumprod cummax cummin cumlogsumexp",
        _X,
        variants=({"axis": 1}, {"axis": 0, "reverse": True}),
    ),
    *each(lax, "cumsum cumprod cummax cummin", i(3, 4), variants=({"axis": 1},)),
    *each(lax, "sort", _X, variants=({"dimension": 1}, {"dimension": 0})),
    *of(
        "sort",
        lambda x, y: lax.sort((x, y), dimension=1, num_keys=2),
        i(3, 6),
        f(3, 6),
        variant="two keys",
    ),
    *of("sort_key_val", lambda k, v: lax.sort_key_val(k, v, dimension=1), f(3, 6), f(3, 6)),
    *each(lax, "top_k", f(3, 6), variants=({"k": 2},)),
    *of("top_k", lambda x: lax.top_k(x, 2, axis=0), f(6, 3), variant="axis 0"),
    *each(lax, "approx_max_k approx_min_k", f(3, 6), variants=({"k": 2},)),
    *of("associative_scan", lambda x: lax.associative_scan(jnp.add, x, axis=1), _X),
    *of(
        "associative_scan",
        lambda x: lax.associative_scan(jnp.multiply, x, axis=1, reverse=True),
        _X,
        variant="reverse",
    ),
]

EXAMPLES: list[Example] = [*_SHAPES, *_REDUCTIONS]
