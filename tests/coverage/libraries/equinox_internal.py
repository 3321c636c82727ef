"""Examples of ``equinox.internal``: loops, and the buffers that they carry."""

from __future__ import annotations

from typing import Any

import equinox.internal
import jax
import jax.numpy as jnp

from tests.coverage.example import Example, f, i, of

eqxi: Any = equinox.internal  # It is only partly typed.
_X = f(3, 4)


def _while(kind: Any, **options: Any) -> Any:
    def fn(x: jax.Array) -> Any:
        return eqxi.while_loop(
            lambda c: c[0] < 4,
            lambda c: (c[0] + 1, jnp.sin(c[1]) + c[1]),
            (jnp.array(0), x),
            kind=kind,
            max_steps=8,
            **options,
        )

    return fn


def _scan(kind: Any) -> Any:
    options: dict[str, Any] = {"checkpoints": 2} if kind == "checkpointed" else {}
    return lambda x: eqxi.scan(
        lambda c, v: (c + v, c * v),
        jnp.zeros(x.shape[1:], x.dtype),
        x,
        kind=kind,
        **options,
    )


EXAMPLES: list[Example] = [
    *[
        e
        for kind in ("lax", "checkpointed", "bounded")
        for e in of(
            "while_loop",
            _while(kind, **({"checkpoints": 3} if kind == "checkpointed" else {})),
            _X,
            variant=kind,
        )
    ],
    *[e for kind in ("lax", "checkpointed") for e in of("scan", _scan(kind), _X, variant=kind)],
    *of("buffer_at_set", lambda x, k: eqxi.buffer_at_set(x, k, 2.0), _X, i(high=3)),
    *of(
        "MaybeBuffer",
        lambda x: eqxi.while_loop(
            lambda c: c[0] < 3,
            lambda c: (c[0] + 1, c[1].at[c[0]].set(1.0)),
            (jnp.array(0), x),
            kind="lax",
            buffers=lambda c: c[1],
        ),
        _X,
    ),
]
