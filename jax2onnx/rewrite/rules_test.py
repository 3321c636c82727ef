"""Every rule, and rewriting as a whole, keeps these properties."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
import pytest
from jax import Array

from jax2onnx.api import to_onnx
from jax2onnx.decorator import onnx_function
from jax2onnx.lower import lower
from jax2onnx.rewrite import rewrite
from jax2onnx.rewrite.engine.sweep import Entry
from jax2onnx.rewrite.stages import STAGES
from jax2onnx.testing.conversion import assert_agrees
from jax2onnx.trace import trace

ENTRIES = [entry for stage in STAGES for entry in stage.entries]
FOLDER = Path(__file__).parent / "rules"
SHARED = "\n".join(
    ast.get_docstring(ast.parse(f.read_text())) or "" for f in FOLDER.glob("*/*_test.py")
)
"""The docstrings of all tests of rules, some of which name several rules."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.rule)
def test_rule_says_when_it_does_not_apply_and_has_a_test(entry: Entry) -> None:
    documentation = ast.get_docstring(
        ast.parse((FOLDER / f"{entry.rule.replace('.', '/')}.py").read_text())
    )
    assert documentation is not None
    assert "Does not apply" in documentation
    assert (
        FOLDER / f"{entry.rule.replace('.', '/')}_test.py"
    ).exists() or f"`{entry.rule.rpartition('.')[2]}`" in SHARED
    assert callable(entry.load())


def test_every_rule_is_in_the_table() -> None:
    files = {f for f in FOLDER.glob("*/*.py") if not f.stem.endswith("_test")}
    names = {f"{f.parent.name}.{f.stem}" for f in files if f.stem != "__init__"}
    assert names == {entry.rule for entry in ENTRIES}


def block(x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    normal = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return jax.nn.softmax(jax.nn.gelu(normal) @ np.ones((8, 8), np.float32), axis=-1)


def test_every_value_has_a_type_and_a_shape() -> None:
    model = to_onnx(onnx_function(block), [("B", "T", 8)], return_mode="ir")
    graphs = [model.graph, *(f.graph for f in model.functions.values())]
    values = [value for graph in graphs for node in graph for value in node.outputs]
    assert len(values) > 3
    assert all(v.dtype is not None and v.shape is not None for v in values)


def test_nodes_stay_in_topological_order() -> None:
    model = lower(trace(block, [("B", "T", 8)]), 23, "model")
    rewrite(model)
    seen: set[ir.Value | None] = {None, *model.graph.inputs, *model.graph.initializers.values()}
    for node in model.graph:
        assert set(node.inputs) <= seen
        seen.update(node.outputs)


def test_outputs_keep_their_names() -> None:
    def function(x: Array) -> tuple[Array, Array, Array]:
        y = jnp.sin(x)
        return y + 0, y * 1, jax.nn.relu(y)

    model = to_onnx(function, [(2, 3)], output_names=["a", "b", "c"])
    assert [o.name for o in model.graph.output] == ["a", "b", "c"]


def test_a_graph_without_patterns_does_not_change() -> None:
    model = lower(trace(lambda x: jnp.sin(x) * x, [("B", 3)]), 23, "model")
    before = [(n.name, n.op_type) for n in model.graph]
    rewrite(model)
    assert [(n.name, n.op_type) for n in model.graph] == before


SIDE = 4
EQUAL = np.random.default_rng(0).standard_normal((SIDE,) * 4).astype(np.float32)


def mean_not_kept(x: Array) -> Array:
    centred = x - x.mean(-1)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def sum_not_kept(x: Array) -> Array:
    powers = jnp.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1)


def scaled_along_rows(x: Array) -> Array:
    mean_square = (x * x).mean(-1, keepdims=True)
    return x * jax.lax.rsqrt(mean_square + 1e-5) * np.arange(1.0, 5.0, dtype=np.float32)[:, None]


def bias_along_rows(x: Array) -> Array:
    return x[0, 0] @ x[0, 1].T + np.arange(SIDE, dtype=np.float32)[:, None]


def keys_not_transposed(x: Array) -> Array:
    return jax.nn.softmax(x @ x.swapaxes(1, 2), axis=-1) @ x


def turned_along_heads(x: Array) -> Array:
    table = jnp.tile(x[0, :, :1], (1, 1, 1))  # (heads, 1, d): the angle varies along the heads
    a, b = jnp.split(jnp.concatenate([x, x], axis=-1), 2, axis=-1)
    return jnp.concatenate([a * table - b * table, b * table + a * table], axis=-1)


@pytest.mark.parametrize(
    "function",
    [
        mean_not_kept,
        sum_not_kept,
        scaled_along_rows,
        bias_along_rows,
        keys_not_transposed,
        turned_along_heads,
    ],
)
def test_axes_of_equal_size_are_not_confused(function: Any) -> None:
    assert_agrees(function, EQUAL, rtol=1e-4, atol=1e-4)
