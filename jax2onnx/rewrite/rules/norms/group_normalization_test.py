from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from jax2onnx.rewrite.rules.arithmetic import known_choice, reduce_mean
from jax2onnx.rewrite.rules.loops import loop_invariant
from jax2onnx.rewrite.rules.norms import group_normalization
from jax2onnx.rewrite.rules.views import transpose
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.rewriting import PLACES, agreement_with, operator_counts

assert_agrees = agreement_with(
    known_choice, reduce_mean, loop_invariant, group_normalization, transpose
)

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((2, 5, 6, 8)).astype(np.float32) + 1
WEIGHTS = {
    "scale": GENERATOR.uniform(0.5, 2, 8).astype(np.float32),
    "bias": GENERATOR.uniform(0.5, 2, 8).astype(np.float32),
}


def linen(module: Any) -> Any:
    return module, {"params": WEIGHTS}


def by_nnx(module: Any, **options: Any) -> Any:
    norm = module(8, rngs=nnx.Rngs(0), **options)
    for name, array in WEIGHTS.items():
        if getattr(norm, name) is not None:
            getattr(norm, name)[...] = jnp.asarray(array)
    return norm


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("specs", [[("B", 5, 6, 8)], [(2, 5, 6, 8)]])
@pytest.mark.parametrize("library", ["nnx", "linen"])
def test_fires_for_groups(library: str, specs: Any, fast: bool) -> None:
    norm = (
        by_nnx(nnx.GroupNorm, num_groups=2, use_fast_variance=fast)
        if library == "nnx"
        else linen(nn.GroupNorm(num_groups=2, use_fast_variance=fast))
    )
    counts = operator_counts(assert_agrees(norm, X, specs=specs))
    assert counts["InstanceNormalization"] == 1
    assert counts["Sqrt"] == counts["ReduceMean"] == 0
    model = assert_agrees(norm, X, specs=specs, prefer="readable")
    assert operators(model) == ["Transpose", "GroupNormalization", "Transpose"]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("specs", [[("B", 5, 6, 8)], [(2, 5, 6, 8)]])
@pytest.mark.parametrize("library", ["nnx", "linen"])
def test_fires_for_single_channels(library: str, specs: Any, fast: bool) -> None:
    norm = (
        by_nnx(nnx.InstanceNorm, use_fast_variance=fast)
        if library == "nnx"
        else linen(nn.InstanceNorm(use_fast_variance=fast))
    )
    model = assert_agrees(norm, X, specs=specs)
    assert operators(model) == ["Transpose", "InstanceNormalization", "Transpose"]


@pytest.mark.parametrize("options", [{"use_scale": False}, {"use_bias": False}])
def test_fires_without_scale_or_bias(options: Any) -> None:
    norm = by_nnx(nnx.GroupNorm, num_groups=4, **options)
    model = assert_agrees(norm, X, prefer="readable")
    assert operators(model) == ["Transpose", "GroupNormalization", "Transpose"]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("module", [nnx.GroupNorm, nnx.InstanceNorm])
def test_fires_for_images_of_any_size(module: Any, fast: bool) -> None:
    groups = {"num_groups": 4} if module is nnx.GroupNorm else {}
    norm = by_nnx(module, use_fast_variance=fast, **groups)
    counts = operator_counts(assert_agrees(norm, X, specs=[("B", "H", "W", 8)]))
    assert counts["InstanceNormalization"] == 1
    assert sum(counts.values()) <= 10
    model = assert_agrees(norm, X, specs=[("B", "H", "W", 8)], prefer="readable")
    assert len(operators(model)) == 3


def plain(x: Any) -> Any:
    mean = x.mean((1, 2), keepdims=True)
    return (x - mean) / jnp.sqrt(((x - mean) ** 2).mean((1, 2), keepdims=True) + 1e-3)


@pytest.mark.parametrize("place", PLACES)
def test_fires_inside(place: Any) -> None:
    model = assert_agrees(place(plain), X)
    assert operator_counts(model)["InstanceNormalization"] == 1


def tiled(x: Any) -> Any:
    """Normalise with group statistics that are tiled over the channels instead of repeated."""
    groups = x.reshape(2, 5, 6, 2, 4)
    mean = groups.mean((1, 2, 4))
    variance = ((groups - mean[:, None, None, :, None]) ** 2).mean((1, 2, 4))
    mean, variance = (jnp.tile(v, 4).reshape(2, 1, 1, 8) for v in (mean, variance))
    return (x - mean) * jax.lax.rsqrt(variance + 1e-3)


@pytest.mark.parametrize(
    "function",
    [
        tiled,
        lambda x: (
            plain(x[..., None])[..., 0] + plain(x.transpose(0, 3, 1, 2)).sum(1)[..., None] * 0
        ),
        lambda x: (
            (x - x.mean((1, 2), keepdims=True)) / jnp.sqrt((x * x).mean((1, 2), keepdims=True))
        ),
        lambda x: (x - x.mean((0, 1), keepdims=True)) / jnp.sqrt(x.var((0, 1), keepdims=True)),
    ],
)
def test_holds_back(function: Any) -> None:
    counts = operator_counts(assert_agrees(function, X, rtol=1e-4, atol=1e-4))
    assert counts["Sqrt"] >= 1


def test_holds_back_for_doubles() -> None:
    model = assert_agrees(plain, X.astype(np.float64), double=True, rtol=1e-12)
    assert operator_counts(model)["InstanceNormalization"] == 0


def test_holds_back_from_the_statistics_of_another_image() -> None:
    def function(content: Array, style: Array) -> Array:
        mean = style.mean((1, 2), keepdims=True)
        variance = ((style - mean) ** 2).mean((1, 2), keepdims=True)
        return (content - mean) * jax.lax.rsqrt(variance + 1e-5)

    images = np.random.default_rng(0).standard_normal((2, 2, 8, 8, 3)).astype(np.float32)
    model = assert_agrees(function, *images, rtol=1e-4, atol=1e-4)
    assert operator_counts(model)["InstanceNormalization"] == 0
