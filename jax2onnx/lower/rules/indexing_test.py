"""Gather and scatter in all modes and dynamic slices agree with JAX."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax2onnx.rewrite.rules.arithmetic import neutral
from jax2onnx.rewrite.rules.views import expand
from jax2onnx.testing.agreement import assert_agrees, operators
from jax2onnx.testing.rewriting import agreement_with
from jax2onnx.trace import InputSpec

_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((5, 4, 3), dtype=np.float32)
INSIDE = np.array([[0, 2], [4, 1]], np.int32)
OUTSIDE = np.array([0, -7, 9, 4, -1], np.int32)


@pytest.mark.parametrize("mode", ["clip", "fill", "wrap"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_take_along_an_axis(axis: int, mode: Any) -> None:
    assert_agrees(lambda x, i: jnp.take(x, i, axis=axis, mode=mode), X, OUTSIDE)


def _all_along(axis: int, shape: tuple[int, ...]) -> Any:
    """Return indices from two below the lowest valid one to two above the highest."""
    return _RNG.integers(-X.shape[axis] - 2, X.shape[axis] + 2, shape).astype(np.int32)


@pytest.mark.parametrize("mode", ["clip", "fill", "promise_in_bounds"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("named", [False, True])
def test_elements_along_an_axis(axis: int, mode: Any, named: bool) -> None:
    shape = tuple(6 if a == axis else d for a, d in enumerate(X.shape))
    i = _all_along(axis, shape)
    i = i % X.shape[axis] if mode == "promise_in_bounds" else i
    names = tuple("RST"[a] for a in range(3)) if named else X.shape
    specs = [names, InputSpec(tuple(6 if a == axis else d for a, d in enumerate(names)), np.int32)]
    model = agreement_with(expand)(
        lambda x, i: jnp.take_along_axis(x, i, axis=axis, mode=mode), X, i, specs=specs
    )
    found = operators(model)
    assert found.count("GatherElements") == 1
    assert not {"GatherND", "Range", "Expand", "Less", "Transpose"} & set(found)


@pytest.mark.parametrize("dtype", ["int8", "uint32", "int64"])
@pytest.mark.parametrize("mode", ["clip", "fill"])
def test_elements_by_indices_of_any_type(dtype: str, mode: Any) -> None:
    i = np.array([[[1, 0, 100]]]).astype(dtype).repeat(4, axis=1)
    if dtype == "uint32":
        i[..., 1] = 2**32 - 1
    fn = lambda x, i: jnp.take_along_axis(x[:1], i, axis=2, mode=mode)  # noqa: E731
    assert_agrees(fn, X, i)
    assert_agrees(fn, X.astype(np.float16) > 0, i)


@pytest.mark.parametrize("shape", [(5, 2, 1), (1, 2, 3), (1, 2, 1), (5, 1, 3)])
@pytest.mark.parametrize("mode", ["clip", "fill"])
def test_slices_along_an_axis(shape: tuple[int, ...], mode: Any) -> None:
    fn = lambda x, i: jnp.take_along_axis(x, i, axis=1, mode=mode)  # noqa: E731
    i = _all_along(1, shape)
    assert_agrees(fn, X, i)
    rows = "B" if shape[0] > 1 else 1
    found = operators(
        assert_agrees(fn, X, i, specs=[("B", 4, 3), InputSpec((rows, *shape[1:]), np.int32)])
    )
    assert not {"Range", "Less"} & set(found)


@pytest.mark.parametrize("axes", [(0, 0), (1, 0), (2, 0), (0, 1)])
def test_one_index_for_each_item_of_a_batch(axes: tuple[int, int]) -> None:
    i = _all_along(0, (4, X.shape[axes[0]]) if axes[1] else (X.shape[axes[0]], 4))
    for fn in (
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, i],
        lambda x, i: x[i[0], i[1]],
        lambda x, i: x.at[i, :2].get(mode="fill"),
        lambda x, i: lax.dynamic_slice(x, (i[0], i[1]), (2, 1)),
        jax.vmap(lambda row, j: row[j], in_axes=(1, None)),
    ):
        assert_agrees(jax.vmap(fn, in_axes=axes), X, i)


@pytest.mark.parametrize("dtype", ["int32", "int8", "uint8", "uint32", "bool", "float16"])
def test_elements_out_of_bounds_have_the_fill_value_of_their_type(dtype: str) -> None:
    assert_agrees(lambda x, i: x.at[i].get(mode="fill"), (X > 0).astype(dtype), OUTSIDE)


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (lambda x, i: x[i], ["Clip", "Gather"]),
        (lambda x, i: x[:, i], ["Clip", "Gather"]),
        (
            lambda x, i: x[i[0]],
            ["Slice", "Squeeze", "Cast", "Clip", "Gather"],
        ),
        (
            lambda x, i: jnp.tile(x, (52, 1, 1))[i.astype(np.uint8)],
            ["Tile", "Cast", "Cast", "Gather"],
        ),
    ],
)
def test_indices_are_clamped_in_one_operator(fn: Any, expected: list[str]) -> None:
    model = assert_agrees(fn, X, np.array([2, -1, 7, -4, -5, -6, -11], np.int32))
    assert operators(model) == expected


def test_embedding_of_equinox_is_one_gather() -> None:
    module = eqx.nn.Embedding(10, 4, key=jax.random.key(0))
    indices = np.array([[1, -1, 9], [0, 3, -10]], np.int32)
    specs = [InputSpec(("B", 3), np.int32)]
    found = operators(agreement_with(neutral)(jax.vmap(jax.vmap(module)), indices, specs=specs))
    assert len(found) <= 5
    assert found.count("Gather") == 1


_DIMENSIONS = {
    "scattered": lax.ScatterDimensionNumbers((1,), (0, 1), (0, 1)),
    "windows": lax.ScatterDimensionNumbers((1, 2, 3), (), (0, 1)),
}
PLACES = np.array([[5, 1], [-3, 9], [2**31 - 1, -(2**31)], [0, 0], [3, 2]], np.int32)


@pytest.mark.parametrize("mode", [m for m in lax.GatherScatterMode if m.name != "ONE_HOT"])
@pytest.mark.parametrize("sizes", [(1, 2, 3), (2, 2, 3), (1, 1, 3)])
def test_windows_out_of_bounds(sizes: Any, mode: Any) -> None:
    collapsed = (0, 1) if sizes[1] == 1 else (0,) if sizes[0] == 1 else ()
    offsets = tuple(range(1, 4 - len(collapsed)))
    numbers = lax.GatherDimensionNumbers(offsets, collapsed, (0, 1))
    assert_agrees(lambda x, i: lax.gather(x, i, numbers, sizes, mode=mode), X, PLACES)


@pytest.mark.parametrize("mode", list(lax.GatherScatterMode))
@pytest.mark.parametrize("kind", list(_DIMENSIONS))
@pytest.mark.parametrize("name", ["scatter_add", "scatter_mul", "scatter_min", "scatter_max"])
def test_updates_out_of_bounds(name: str, kind: str, mode: Any) -> None:
    shape = (5, 3) if kind == "scattered" else (5, 2, 2, 3)
    updates = _RNG.standard_normal(shape, dtype=np.float32)

    def fn(x: Any, i: Any, u: Any) -> Any:
        return getattr(lax, name)(x, i, u, _DIMENSIONS[kind], mode=mode)

    assert_agrees(fn, X, PLACES, updates)


@pytest.mark.parametrize(
    "fn",
    [
        lambda x, i: x[i, i],
        lambda x, i: x[:, i, 1:],
        lambda x, i: x[i[0], :, i[1]],
        lambda x, i: jnp.take_along_axis(x[:2, :2], i[:, :, None] % 3, axis=2),
        lambda x, i: jax.vmap(lambda row, j: row[j])(x[:2], i),
        lambda x, i: x[jnp.array([3, 1]), 2],
    ],
)
def test_several_axes_and_batches(fn: Any) -> None:
    assert_agrees(fn, X, INSIDE % 3)


@pytest.mark.parametrize("method", ["set", "add", "multiply", "min", "max"])
@pytest.mark.parametrize("mode", ["clip", "drop"])
def test_scatter(method: str, mode: str) -> None:
    def fn(x: jax.Array, i: jax.Array, updates: jax.Array) -> Any:
        return getattr(x.at[i], method)(updates, mode=mode)

    places = np.array([0, 9, 3, -8], np.int32)
    assert_agrees(fn, X, places, _RNG.standard_normal((4, 4, 3), dtype=np.float32))


def test_scatter_of_windows_and_functions() -> None:
    assert_agrees(lambda x, u: x.at[1:3, :, 2].set(u), X, X[:2, :, 0])
    assert_agrees(lambda x, i: x.at[i, 1].apply(jnp.sin), X, np.array([0, 4], np.int32))
    assert_agrees(lambda x, i: x.at[i].add(1.0), X, np.array([2, 2, 2], np.int32))


@pytest.mark.parametrize("start", [-3, 0, 2, 99])
def test_dynamic_slices_clamp_their_start(start: int) -> None:
    i = np.int32(start)
    assert_agrees(lambda x, k: lax.dynamic_slice(x, (k, 1, k), (2, 2, 3)), X, i)
    assert_agrees(lambda x, k: lax.dynamic_index_in_dim(x, k, 1), X, i)
    assert_agrees(lambda x, k: lax.dynamic_update_slice(x, x[:2, :2] * 0, (k, k, 0)), X, i)


def test_symbolic_sizes() -> None:
    specs = [("B", 4, 3), (2, 2)]
    assert_agrees(lambda x, i: x[i % 3], X, INSIDE, specs=[specs[0], INSIDE])
    assert_agrees(lambda x: x[-1], X, specs=specs[:1])
    assert_agrees(
        lambda x: lax.dynamic_update_slice(x, x[:1], (1, 0, 0)),
        X,
        specs=specs[:1],
        constraints=("B >= 2",),
    )


def test_several_updates_in_one_graph() -> None:
    def updated(x: Any, i: Any, j: Any) -> Any:
        first = lax.dynamic_update_slice(x, -x[:2], (i, 0))
        return first, lax.dynamic_update_slice(jnp.sin(x), x[:2], (j, 0))

    assert_agrees(updated, np.arange(20, dtype=np.float32).reshape(10, 2), np.int32(7), np.int32(2))


@pytest.mark.parametrize("start", [-1, -3, 0, 2, 9])
def test_an_update_of_one_element_counts_from_the_end(start: int) -> None:
    x, i = np.arange(3, dtype=np.float32), np.int32(start)
    assert_agrees(lambda x, i: lax.dynamic_update_slice(x, x[:1] + 9, (i,)), x, i)
    assert_agrees(lambda x, i: lax.dynamic_slice(x, (i,), (1,)), x, i)
