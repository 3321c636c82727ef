"""Shardings and collectives over one device convert; a mesh of several is refused."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec

from jax2onnx.errors import UnsupportedUseError
from jax2onnx.testing.agreement import assert_agrees, lowered, operators

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
MESH = Mesh(np.array(jax.devices()[:1]), ("d",))
ROWS = PartitionSpec("d")


def _mapped(function: Any, **options: Any) -> Any:
    return jax.shard_map(function, mesh=MESH, in_specs=ROWS, out_specs=ROWS, **options)


@pytest.mark.parametrize(
    "collective",
    [
        lambda x: lax.psum(x, "d"),
        lambda x: lax.pmean(x, "d"),
        lambda x: lax.pmax(x, "d"),
        lambda x: lax.all_gather(x, "d"),
        lambda x: lax.all_gather(x, "d", axis=1, tiled=True),
        lambda x: lax.all_to_all(x, "d", 0, 1, tiled=True),
        lambda x: lax.all_to_all(x[None], "d", 0, 1),
        lambda x: lax.psum_scatter(x, "d", tiled=True),
        lambda x: lax.psum_scatter(x[None], "d"),
        lambda x: lax.ppermute(x, "d", [(0, 0)]),
        lambda x: lax.ppermute(x, "d", []),
        lambda x: x + lax.axis_index("d") + lax.axis_size("d"),
    ],
)
def test_collectives_over_one_device(collective: Any) -> None:
    assert_agrees(_mapped(collective, check_vma=False), X)


def test_gradient_of_a_sharded_function() -> None:
    def fn(x: Any) -> Any:
        total: Any = jax.shard_map(
            lambda v: lax.psum((v**2).sum(), "d"),
            mesh=MESH,
            in_specs=ROWS,
            out_specs=PartitionSpec(),
        )
        return total(x)

    assert_agrees(jax.grad(fn), X)


def test_sharding_constraints_are_removed() -> None:
    sharding = NamedSharding(MESH, ROWS)
    model = assert_agrees(lambda x: lax.with_sharding_constraint(x + 1, sharding) * 2, X)
    assert operators(model) == ["Add", "Mul"]


def test_axes_that_vmap_names() -> None:
    def fn(row: Any) -> Any:
        return row - lax.pmean(row, "rows") + lax.pmax(row, "rows") + lax.axis_index("rows")

    assert_agrees(jax.vmap(fn, axis_name="rows"), X)


def test_several_devices_are_refused() -> None:
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Auto,))
    fn = jax.shard_map(
        lambda x: lax.psum(x, "d"), mesh=mesh, in_specs=ROWS, out_specs=PartitionSpec()
    )
    with pytest.raises(UnsupportedUseError, match="over 2 devices"):
        lowered(fn, [X])
