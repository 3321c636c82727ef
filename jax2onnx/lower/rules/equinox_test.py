from __future__ import annotations

from typing import Any

import equinox.internal
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.testing.agreement import assert_agrees

eqxi: Any = equinox.internal  # It is only partly typed.
X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("kind", ["lax", "checkpointed", "bounded"])
@pytest.mark.parametrize("mapped", [False, True])
def test_while_loop(kind: str, mapped: bool) -> None:
    def loop(x: Any) -> Any:
        body = (lambda c: c[0] < 4), (lambda c: (c[0] + 1, jnp.sin(c[1]) + c[1]))
        options = {"checkpoints": 3} if kind == "checkpointed" else {}
        return eqxi.while_loop(*body, (jnp.array(0), x), kind=kind, max_steps=8, **options)

    assert_agrees(jax.vmap(loop) if mapped else loop, X)


@pytest.mark.parametrize("mapped", [False, True])
def test_checkpointed_scan_writes_buffers(mapped: bool) -> None:
    def scan(x: Any) -> Any:
        body = lambda c, v: (c + v, c * v)  # noqa: E731
        return eqxi.scan(body, jnp.zeros(x.shape[1:]), x, kind="checkpointed", checkpoints=2)

    assert_agrees(jax.vmap(scan) if mapped else scan, np.stack([X, -X]) if mapped else X)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: eqxi.unvmap_any(x > 4),
        lambda x: eqxi.unvmap_all(x > 4),
        lambda x: eqxi.nondifferentiable_backward(eqxi.nonbatchable(x)) + 1,
    ],
)
def test_unvmap_and_nonbatchable(function: Any) -> None:
    assert_agrees(function, X)
