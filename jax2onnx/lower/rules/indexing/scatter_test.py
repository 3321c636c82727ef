"""Scatters whose updates meet, on more than one thread of ONNX Runtime, against JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime as ort
import pytest
from jax import lax

from jax2onnx.checks.runtime import run
from jax2onnx.lower.rules.indexing import pieces
from jax2onnx.testing.agreement import assert_agrees, operators
from jax2onnx.trace import InputSpec

_RNG = np.random.default_rng(0)
PLACES, COUNT, SIZE = 100, 20_000, 64
INDEX = _RNG.integers(0, PLACES, COUNT).astype(np.int32)
UPDATES = _RNG.standard_normal((COUNT, SIZE), dtype=np.float32)
ROWS = _RNG.standard_normal((PLACES, SIZE), dtype=np.float32)

MEETING: dict[str, Callable[..., Any]] = {
    "set": lambda x, i, u: x.at[i].set(u),
    "add": lambda x, i, u: x.at[i].add(u),
    "sub": lambda x, i, u: x.at[i].subtract(u),
    "mul": lambda x, i, u: x.at[i].multiply(1 + u / 200),
    "max": lambda x, i, u: x.at[i].max(u),
    "min": lambda x, i, u: x.at[i].min(u),
    "columns": lambda x, i, u: x.T.at[:, i].set(u.T),
    "segment_sum": lambda x, i, u: jax.ops.segment_sum(u, i, num_segments=PLACES),
    "segment_max": lambda x, i, u: jax.ops.segment_max(u, i, num_segments=PLACES),
    "negative": lambda x, i, u: x.at[i - 50].set(u),
    "dropped": lambda x, i, u: x[:50].at[i].set(u),
    "clipped": lambda x, i, u: x[:50].at[i].set(u, mode="clip"),
    "two axes": lambda x, i, u: x.reshape(10, 10, SIZE).at[i // 10, i % 10].set(u),
    "elements": lambda x, i, u: x.at[i, i % SIZE].set(u[:, 0]),
    "batch": lambda x, i, u: jax.vmap(lambda r, v: r.at[i].set(v), (1, 1))(x, u),
    "complex": lambda x, i, u: jnp.abs(lax.complex(x, x).at[i].set(lax.complex(u, -u))),
}


def _on_threads(model: Any, *arrays: Any, threads: int = 4, runs: int = 8) -> list[Any]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options)
    feeds = dict(zip((i.name for i in session.get_inputs()), arrays, strict=True))
    return [next(iter(run(session, feeds).values())) for _ in range(runs)]


@pytest.mark.parametrize("kind", MEETING)
def test_updates_that_meet_on_several_threads(kind: str) -> None:
    fn = MEETING[kind]
    model = assert_agrees(fn, ROWS, INDEX, UPDATES, rtol=1e-4, atol=1e-3)
    expected = np.asarray(fn(jnp.asarray(ROWS), jnp.asarray(INDEX), jnp.asarray(UPDATES)))
    for found in _on_threads(model, ROWS, INDEX, UPDATES):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_the_last_of_the_updates_that_meet_is_written() -> None:
    x, i = np.zeros(3, np.float32), np.array([1, 0, 1, 5, 1, -3], np.int32)
    u = np.arange(1, 7, dtype=np.float32)
    expected = [6, 5, 0]
    assert np.asarray(jnp.asarray(x).at[i].set(u)).tolist() == expected
    assert_agrees(lambda x, i, u: x.at[i].set(u), x, i, u)
    specs = [("N",), InputSpec(("E",), np.int32), ("E",)]
    assert_agrees(lambda x, i, u: x.at[i].set(u), x, i, u, specs=specs)


def test_a_function_is_applied_once_for_each_update() -> None:
    x, i = np.arange(4, dtype=np.float32), np.array([0, 0, 1, 9, -4], np.int32)
    assert_agrees(lambda x, i: x.at[i].apply(lambda v: 2 * v + 1), x, i)
    assert_agrees(lambda x, i: x.at[i].apply(lambda v: 2 * v + 1, mode="clip"), x, i)


@pytest.mark.parametrize("method", ["add", "multiply"])
def test_nan_and_infinity_stay_in_their_place(method: str) -> None:
    x = np.array([0, 1, np.nan, -np.inf, np.inf, 2], np.float32)
    i = np.array([0, 0, 1, 1, 2, 3, 3, 4], np.int32)
    u = np.array([np.nan, 1, 2, np.inf, 3, 4, 5, -1], np.float32)
    assert_agrees(lambda x, i, u: getattr(x.at[i], method)(u), x, i, u)


def _count(x: Any) -> Any:
    return jnp.arange(x.shape[0], dtype=np.int32)


DISTINCT: dict[str, Callable[..., Any]] = {
    "declared": lambda x, i: x.at[i].add(1.0, unique_indices=True),
    "constant": lambda x, i: x[:4].at[np.array([3, 1, -2], np.int32)].set(x[:3]),
    "constants that only differ together": lambda x, i: (
        x[:4]
        .at[np.array([[0, 0], [1, 1]], np.int32), np.array([[0, 1], [0, 1]], np.int32)]
        .add(x[:2, :2])
    ),
    "constants that differ in each row": lambda x, i: x.at[
        lax.top_k(x[:2, 0], 2)[1][:, None], np.array([[0, 1, 2], [2, 1, 0]], np.int32)
    ].add(1.0),
    "counted": lambda x, i: x.at[_count(x)].add(1.0),
    "counted from 1": lambda x, i: x.at[1 + _count(x)].add(1.0),
    "one of each row": lambda x, i: x.at[_count(x), i].add(1.0),
    "a batch": jax.vmap(lambda r, j: r.at[j].set(0)),
    "top": lambda x, i: x.at[_count(x)[:, None], lax.top_k(x, 2)[1]].set(0),
    "one": lambda x, i: x.at[i[0]].add(1.0),
    "a window": lambda x, i: lax.scatter(
        x, i[:2], x[:2, :2], lax.ScatterDimensionNumbers((0, 1), (), (0, 1))
    ),
}
X, ROW = ROWS[:5, :6], np.array([1, 1, 0, 3, 1], np.int32)


@pytest.fixture
def without_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few updates be too many for one thread."""
    monkeypatch.setattr(pieces, "_ON_ONE_THREAD", 1)


@pytest.mark.parametrize("kind", DISTINCT)
@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.usefixtures("without_pieces")
def test_updates_that_cannot_meet_are_one_scatter(kind: str, symbolic: bool) -> None:
    specs = [("B", 6), InputSpec(("B",), np.int32)] if symbolic else None
    arrays = (X, np.array([1, 0, 2, 3, 4], np.int32)) if kind == "declared" else (X, ROW)
    found = operators(
        assert_agrees(
            DISTINCT[kind], *arrays, specs=specs, constraints=("B >= 4",) if symbolic else ()
        )
    )
    assert "ScatterND" in found
    assert not {"Loop", "ScatterElements", "ConstantOfShape"} & set(found)


MAYBE_EQUAL: dict[str, Callable[..., Any]] = {
    "constant": lambda x, i: x.at[np.array([3, 1, 1], np.int32)].set(x[:3]),
    "constants with the same place from the end": lambda x, i: x.at[
        np.array([4, -1], np.int32)
    ].add(x[:2]),
    "one row": lambda x, i: x.at[_count(x)[:, None], i].add(1.0),
    "clipped": lambda x, i: x.at[2 + _count(x)].add(1.0, mode="clip"),
    "half": lambda x, i: x.at[_count(x) // 2].add(1.0),
    "sum": lambda x, i: x.at[_count(x) + i].add(1.0),
    "windows": lambda x, i: lax.scatter_add(
        x,
        jnp.arange(3)[:, None],
        jnp.ones((3, 2, 6)),
        lax.ScatterDimensionNumbers((1, 2), (), (0,)),
    ),
    "batch of one": lambda x, i: jax.vmap(lambda r: r.at[i].add(1.0))(x),
}


@pytest.mark.parametrize("kind", MAYBE_EQUAL)
@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.usefixtures("without_pieces")
def test_updates_that_may_meet_are_not(kind: str, symbolic: bool) -> None:
    specs = [("B", 6), InputSpec(("B",), np.int32)] if symbolic else None
    model = assert_agrees(
        MAYBE_EQUAL[kind], X, ROW, specs=specs, constraints=("B >= 4",) if symbolic else ()
    )
    assert {"Loop", "ScatterElements"} & set(operators(model))


@pytest.mark.parametrize("opset", [13, 15, 17])
@pytest.mark.parametrize("method", ["add", "multiply", "max", "min"])
def test_updates_that_meet_in_old_operator_sets(method: str, opset: int) -> None:
    x, u = ROWS[:5, :3], UPDATES[:4, :3]
    i = np.array([1, 4, 1, 0], np.int32)
    assert_agrees(lambda x, i, u: getattr(x.at[i], method)(u), x, i, u, opset=opset)
