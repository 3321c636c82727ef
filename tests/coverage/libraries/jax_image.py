"""``jax.image``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import image

from tests.coverage.example import Example, f, of

_METHODS = ("nearest", "linear", "cubic", "lanczos3", "lanczos5")
_IMAGE = f(2, 6, 5, 3)


def _resize(height: int, width: int, **options: Any) -> Any:
    return lambda x: image.resize(x, (x.shape[0], height, width, x.shape[3]), **options)


EXAMPLES: list[Example] = [
    *[
        e
        for m in _METHODS
        for name, size in (("up", (12, 10)), ("down", (3, 4)), ("uneven", (9, 4)))
        for e in of(
            "resize",
            _resize(*size, method=m),
            _IMAGE,
            variant=f"{m},{name}",
            tolerance=(3e-5, 1e-11),
        )
    ],
    *[
        e
        for m in _METHODS[1:]
        for e in of(
            "resize",
            _resize(3, 4, method=m, antialias=False),
            _IMAGE,
            variant=f"{m},down,no antialias",
            tolerance=(3e-5, 1e-11),
        )
    ],
    *of(
        "resize",
        lambda x: image.resize(x, (4, 12, 10, 3), "linear"),
        f(4, 6, 5, 3),
        variant="fixed batch",
        skip=("symbolic",),
    ),
    *of(
        "resize",
        lambda x: image.resize(x, (x.shape[0], x.shape[1], 12, 10), "bilinear"),
        f(2, 3, 6, 5),
        variant="NCHW",
    ),
    *[
        e
        for m in _METHODS[1:]
        for e in of(
            "scale_and_translate",
            lambda x, s, m=m: image.scale_and_translate(
                x, (x.shape[0], 8, 7, 3), (1, 2), s, jnp.array([0.5, -0.3], x.dtype), m
            ),
            _IMAGE,
            f(2, low=0.7, high=1.8, fixed=True),
            variant=m,
            tolerance=(3e-5, 1e-11),
            skip=(),
        )
    ],
]
