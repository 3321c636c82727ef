from __future__ import annotations

from typing import Any

import equinox as eqx
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


def equinox(groups: int) -> Any:
    norm = eqx.nn.GroupNorm(groups, 8)
    weights = tuple(map(jnp.asarray, WEIGHTS.values()))
    norm = eqx.tree_at(lambda n: (n.weight, n.bias), norm, weights)
    return jax.vmap(norm)


FIRST = X.transpose(0, 3, 1, 2)


@pytest.mark.parametrize("spec", [("B", 8, 5, 6), (2, 8, 5, 6), (1, 8, 5, 6), (1, 8, 1, 1)])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_fires_for_groups_of_equinox(groups: int, spec: Any) -> None:
    x = FIRST[tuple(slice(d if isinstance(d, int) else None) for d in spec)]
    model = assert_agrees(equinox(groups), x, specs=[spec])
    kernel = ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]
    assert [n for n in operators(model) if n != "Unsqueeze"] == kernel
    model = assert_agrees(equinox(groups), x, specs=[spec], prefer="readable")
    assert operators(model) == ["GroupNormalization"]


def test_groups_of_one_channel_are_an_instance_norm() -> None:
    model = assert_agrees(equinox(8), FIRST, specs=[("B", 8, 5, 6)])
    assert operators(model) == ["InstanceNormalization"]


def as_keras(groups: int, bias: bool = True) -> Any:
    def norm(x: Any) -> Any:
        grouped = x.reshape(*x.shape[:3], groups, 8 // groups)
        beside = (1, 1, 1, groups, 8 // groups)
        mean, variance = (f(grouped, (1, 2, 4), keepdims=True) for f in (jnp.mean, jnp.var))
        inverse = jax.lax.rsqrt(variance + 1e-3) * WEIGHTS["scale"].reshape(beside)
        shift = -mean * inverse
        shift = shift + WEIGHTS["bias"].reshape(beside) if bias else shift
        return (grouped * inverse + shift).reshape(x.shape)

    return norm


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_fires_for_groups_of_keras(groups: int, bias: bool) -> None:
    norm = as_keras(groups, bias)
    model = assert_agrees(norm, X, specs=[("B", 5, 6, 8)], prefer="readable")
    name = "InstanceNormalization" if groups == 8 else "GroupNormalization"
    assert operators(model) == ["Transpose", name, "Transpose"]
    counts = operator_counts(assert_agrees(norm, X, specs=[("B", 5, 6, 8)]))
    assert counts["InstanceNormalization"] == 1
    assert counts["ReduceMean"] == 0


def scale_of_rows(x: Any) -> Any:
    """Scale groups of channels along another axis of the same size."""
    grouped = x[:, :4].reshape(2, 4, 6, 2, 4)
    mean, variance = (f(grouped, (1, 2, 4), keepdims=True) for f in (jnp.mean, jnp.var))
    inverse = jax.lax.rsqrt(variance + 1e-3) * WEIGHTS["scale"][:4].reshape(1, 4, 1, 1, 1)
    return (grouped * inverse - mean * inverse).reshape(2, 4, 6, 8)


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
        scale_of_rows,
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
