"""Rules do not apply to statistics that are aligned with another axis of equal size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax2onnx.testing.agreement import operators
from jax2onnx.testing.conversion import assert_agrees

_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((4, 4), dtype=np.float32)
G = _RNG.standard_normal(4, dtype=np.float32)


def _layer_norm(x: Any, keepdims: bool = True) -> Any:
    centred = x - x.mean(1, keepdims=keepdims)
    return centred / jnp.sqrt((centred * centred).mean(1, keepdims=keepdims) + 1e-5)


def _rms_norm(x: Any, keepdims: bool = True) -> Any:
    return x / jnp.sqrt((x * x).mean(1, keepdims=keepdims) + 1e-5)


def _powers(x: Any) -> Any:
    return jnp.exp(x - x.max(1, keepdims=True))


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: _rms_norm(x, keepdims=False),
        lambda x: _layer_norm(x, keepdims=False),
        lambda x: _layer_norm(x) * G[:, None],
        lambda x: _layer_norm(x) * G + G[:, None],
        lambda x: _rms_norm(x) * G[:, None],
        lambda x: _powers(x) / _powers(x).sum(1),
        lambda x: x - x.max(1, keepdims=True) - jnp.log(_powers(x).sum(1)),
        lambda x: _powers(x) / _powers(x).sum(1, keepdims=True).T,
    ],
)
def test_statistics_along_another_axis_are_not_fused(fn: Callable[[Any], Any]) -> None:
    assert_agrees(fn, X)


@pytest.mark.parametrize(
    ("fn", "operator"),
    [
        (lambda x: _rms_norm(x) * G, "RMSNormalization"),
        (lambda x: _layer_norm(x) * G + G, "LayerNormalization"),
        (lambda x: _powers(x) / _powers(x).sum(1, keepdims=True), "Softmax"),
        (jax.nn.log_softmax, "LogSoftmax"),
    ],
)
def test_statistics_along_the_right_axis_are_fused(fn: Any, operator: str) -> None:
    assert operators(assert_agrees(fn, X)) == [operator]
