"""Examples of ``jax.lax``: windows, products and control flow."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.coverage.example import Example, b, c, f, i, of

_X = f(3, 4)
_CUBE = f(2, 3, 4)
_IMAGE = f(2, 8, 8, 3)
_KERNEL = f(3, 3, 3, 5, fixed=True)
_NHWC = ("NHWC", "HWIO", "NHWC")


def _conv(*shape: int, **options: Any) -> Any:
    return lambda x, k: lax.conv_general_dilated(
        x, k, **{"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": _NHWC, **options}
    )


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
        lax.ragged_dot,
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
    *of("scaled_dot", lax.scaled_dot, f(3, 4), f(4, 5, fixed=True)),
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

EXAMPLES: list[Example] = [*_CONVOLUTIONS, *_WINDOWS, *_PRODUCTS, *_CONTROL]
