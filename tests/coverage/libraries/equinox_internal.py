"""``equinox.internal``: loops, and what may surround a computation."""

from __future__ import annotations

from typing import Any

import equinox.internal
import jax
import jax.numpy as jnp

from tests.coverage.example import Example, f, i, of

eqxi: Any = equinox.internal  # not all of it is typed
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
    *of(
        "scan_trick",
        lambda x: eqxi.scan_trick(lambda c: c + 1, [lambda c: c * 2, lambda c: c - 3], x),
        _X,
    ),
    *of("error_if", lambda x: eqxi.error_if(x, jnp.any(x > 1e6), "too large"), _X),
    *of(
        "branched_error_if",
        lambda x: eqxi.branched_error_if(x, jnp.any(x > 1e6), jnp.array(0), ["too large"]),
        _X,
    ),
    *of("nextafter", eqxi.nextafter, _X),
    *of("prevbefore", eqxi.prevbefore, _X),
    *of("left_broadcast_to", lambda x: eqxi.left_broadcast_to(x, (3, 4)), f(3)),
    *of("noinline", eqxi.noinline(jnp.sin), _X),
    *of("nonbatchable", eqxi.nonbatchable, _X),
    *of("nondifferentiable", eqxi.nondifferentiable, _X),
    *of("nondifferentiable_backward", eqxi.nondifferentiable_backward, _X),
    *of("nontraceable", eqxi.nontraceable, _X),
    *of("unvmap_all", lambda x: eqxi.unvmap_all(x > 0), _X),
    *of("unvmap_any", lambda x: eqxi.unvmap_any(x > 0), _X),
    *of("unvmap_max", eqxi.unvmap_max, i(3, 4)),
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
    *of("debug_backward_nan", eqxi.debug_backward_nan, _X),
    *of("materialise_zeros", lambda x: eqxi.materialise_zeros(x, None), _X),
    *of("eval_zero", lambda x: x + eqxi.eval_zero(jnp.zeros, (3, 4)), _X),
    *of("store_dce", eqxi.store_dce, _X),
    *of("finalise_fn", eqxi.finalise_fn(lambda v: eqxi.nondifferentiable(v) + 1), _X),
]
