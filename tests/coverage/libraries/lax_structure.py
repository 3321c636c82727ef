"""``jax.lax``: shapes, indices, reductions, windows, products and control flow."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.coverage.example import Example, b, c, each, f, i, of

_X = f(3, 4)
_CUBE = f(2, 3, 4)
_IMAGE = f(2, 8, 8, 3)
_KERNEL = f(3, 3, 3, 5, fixed=True)
_NHWC = ("NHWC", "HWIO", "NHWC")


def _conv(*shape: int, **options: Any) -> Any:
    return lambda x, k: lax.conv_general_dilated(
        x, k, **{"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": _NHWC, **options}
    )


def _scatter(name: str, **options: Any) -> Any:
    numbers = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    return lambda x, k, v: getattr(lax, name)(x, k, v, numbers, **options)


_CONV_VARIANTS: dict[str, dict[str, Any]] = {
    "same": {},
    "valid": {"padding": "VALID"},
    "strided": {"window_strides": (2, 2)},
    "dilated": {"rhs_dilation": (2, 2)},
    "transposed": {"lhs_dilation": (2, 2), "padding": ((1, 1), (1, 2))},
    "pads": {"padding": ((1, 0), (0, 2))},
    "same_lower": {"padding": "SAME_LOWER"},
}

_CONVOLUTIONS = [
    *[
        e
        for v, o in _CONV_VARIANTS.items()
        for e in of("conv_general_dilated", _conv(**o), _IMAGE, _KERNEL, variant=v)
    ],
    *of(
        "conv_general_dilated",
        _conv(feature_group_count=3),
        _IMAGE,
        f(3, 3, 1, 6, fixed=True),
        variant="depthwise",
    ),
    *of(
        "conv_general_dilated",
        _conv(batch_group_count=2, dimension_numbers=("CNHW", "HWIO", "NHWC")),
        f(3, 2, 8, 8, fixed=True),
        f(3, 3, 3, 4, fixed=True),
        variant="batch groups",
        skip=("symbolic",),
    ),
    *of(
        "conv",
        lambda x, k: lax.conv(x, k, (1, 1), "SAME"),
        f(2, 3, 8, 8),
        f(5, 3, 3, 3, fixed=True),
    ),
    *of(
        "conv_with_general_padding",
        lambda x, k: lax.conv_with_general_padding(x, k, (1, 1), [(1, 0), (0, 1)], None, None),
        f(2, 3, 8, 8),
        f(5, 3, 3, 3, fixed=True),
    ),
    *[
        e
        for p in ("SAME", "VALID")
        for k in (False, True)
        for e in of(
            "conv_transpose",
            lambda x, w, p=p, k=k: lax.conv_transpose(
                x, w, (2, 2), p, dimension_numbers=_NHWC, transpose_kernel=k
            ),
            f(2, 5, 5, 3),
            f(3, 3, 3, 3, fixed=True),
            variant=f"{p},{k}",
        )
    ],
    *of(
        "conv_general_dilated_local",
        lambda x, k: lax.conv_general_dilated_local(
            x, k, (1,), "VALID", (3,), dimension_numbers=("NWC", "WIO", "NWC")
        ),
        f(2, 8, 3),
        f(6, 9, 5, fixed=True),
    ),
    *of(
        "conv_general_dilated_patches",
        lambda x: lax.conv_general_dilated_patches(
            x, (3, 3), (1, 1), "SAME", dimension_numbers=_NHWC
        ),
        _IMAGE,
    ),
]

_WINDOWS = [
    *[
        e
        for name, op, start in (
            ("add", lax.add, 0.0),
            ("max", lax.max, -np.inf),
            ("min", lax.min, np.inf),
            ("mul", lax.mul, 1.0),
        )
        for e in of(
            "reduce_window",
            lambda x, o=op, s=start: lax.reduce_window(
                x, np.asarray(s, x.dtype), o, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"
            ),
            _IMAGE,
            variant=name,
        )
    ],
    *of(
        "reduce_window",
        lambda x: lax.reduce_window(
            x, np.asarray(0, x.dtype), lax.add, (2, 2), (1, 1), ((0, 0), (1, 0)), None, (1, 2)
        ),
        f(3, 8),
        variant="dilated",
    ),
]

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
    *of("broadcast_like", lambda x, y: lax.broadcast_like(x, y), f(1, 4, fixed=True), _X),
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
    *of("index_take", lambda x, k: lax.index_take(x, [k], (0,)), _X, i(2, high=3, fixed=True)),
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

_PRODUCTS = [
    *of("dot", lax.dot, _X, f(4, 5, fixed=True)),
    *of(
        "dot",
        lambda x, y: lax.dot(x, y, preferred_element_type="float32"),
        f(3, 4, dtype="bfloat16"),
        f(4, 5, dtype="bfloat16", fixed=True),
        variant="preferred",
    ),
    *of(
        "dot_general",
        lambda x, y: lax.dot_general(x, y, (((2,), (1,)), ((0,), (0,)))),
        _CUBE,
        f(2, 4, 5),
    ),
    *of("batch_matmul", lax.batch_matmul, _CUBE, f(2, 4, 5)),
    *of(
        "dot_general",
        lambda x, y: lax.dot_general(
            x, y, (((1,), (0,)), ((), ())), preferred_element_type="int32"
        ),
        i(3, 4, dtype="int8"),
        i(4, 5, dtype="int8", fixed=True),
        variant="int8",
    ),
    *of(
        "ragged_dot",
        lambda x, y: lax.ragged_dot(x, y, jnp.array([2, 1, 3])),
        f(6, 4, fixed=True),
        f(3, 4, 5, fixed=True),
    ),
    *of(
        "ragged_dot",
        lambda x, y, g: lax.ragged_dot(x, y, g),
        f(6, 4),
        f(3, 4, 5, fixed=True),
        i(3, low=1, high=3, fixed=True),
        variant="sizes by an input",
    ),
    *of(
        "ragged_dot_general",
        lambda x, y: lax.ragged_dot_general(
            x,
            y,
            jnp.array([2, 1, 3]),
            lax.RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), [0], [0]),
        ),
        f(6, 4, fixed=True),
        f(3, 4, 5, fixed=True),
    ),
    *of("scaled_dot", lambda x, y: lax.scaled_dot(x, y), f(3, 4), f(4, 5, fixed=True)),
    *[
        e
        for kind, lengths, arg in (
            ("fft", (4,), c(3, 4)),
            ("ifft", (4,), c(3, 4)),
            ("rfft", (4,), f(3, 4)),
            ("irfft", (6,), c(3, 4)),
        )
        for e in of("fft", lambda x, k=kind, n=lengths: lax.fft(x, k, n), arg, variant=kind)
    ],
]

_CONTROL = [
    *of("cond", lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), _X),
    *of(
        "cond",
        lambda p, x: lax.cond(p, lambda v: v + 1, lambda v: v * 2, x),
        b(),
        _X,
        variant="by an input",
    ),
    *of("switch", lambda k, x: lax.switch(k, [jnp.sin, jnp.cos, jnp.tanh], x), i(high=4), _X),
    *of("fori_loop", lambda x: lax.fori_loop(0, 3, lambda k, v: v * 2 + k, x), _X),
    *of(
        "fori_loop",
        lambda n, x: lax.fori_loop(0, n, lambda k, v: v * 2 + k, x),
        i(),
        _X,
        variant="by an input",
    ),
    *of(
        "while_loop",
        lambda x: lax.while_loop(lambda v: jnp.sum(v) < 100, lambda v: v * 2 + 1, jnp.abs(x)),
        _X,
    ),
    *of(
        "scan",
        lambda x: lax.scan(lambda s, v: (s + v, s * v), jnp.zeros(x.shape[1:], x.dtype), x),
        _X,
    ),
    *of(
        "scan",
        lambda x: lax.scan(
            lambda s, v: (s + v, s * v), jnp.zeros(x.shape[1:], x.dtype), x, reverse=True
        ),
        _X,
        variant="reverse",
    ),
    *of(
        "scan",
        lambda x: lax.scan(lambda s, _: (jnp.sin(s), s.sum()), x, None, length=4),
        _X,
        variant="length",
    ),
    *of(
        "scan",
        lambda x: lax.scan(
            lambda s, v: (s + v, s * v), jnp.zeros(x.shape[1:], x.dtype), x, unroll=2
        ),
        f(4, 3),
        variant="unroll",
        skip=("symbolic",),
    ),
    *of("map", lambda x: lax.map(lambda v: v.sum() + jnp.sin(v), x), _X),
    *of("map", lambda x: lax.map(jnp.sin, x, batch_size=2), f(4, 3), variant="batch_size"),
    *of(
        "custom_root",
        lambda x: lax.custom_root(
            lambda y: y**3 - x,
            x,
            lambda g, v: lax.fori_loop(0, 20, lambda _, w: w - g(w) / 5.0, v),
            lambda g, y: y / g(jnp.ones_like(y)),
        ),
        f(3, low=0.5, high=1.0),
    ),
    *of(
        "custom_linear_solve",
        lambda x: lax.custom_linear_solve(lambda v: 2.0 * v, x, lambda _, r: r / 2.0),
        _X,
    ),
]

EXAMPLES: list[Example] = [*_CONVOLUTIONS, *_WINDOWS, *_SHAPES, *_REDUCTIONS, *_PRODUCTS, *_CONTROL]
