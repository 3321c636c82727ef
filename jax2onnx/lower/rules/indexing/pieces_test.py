from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest

from jax2onnx.api import to_onnx
from jax2onnx.lower.rules.indexing import pieces
from jax2onnx.testing.agreement import assert_agrees, operators
from jax2onnx.trace import InputSpec

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((5, 3), np.float32)


def combined(kind: str) -> Any:
    return lambda x, i, u: getattr(x.at[i], kind)(u)


def updates(count: int) -> tuple[Any, Any]:
    values = RNG.standard_normal((count, 3), np.float32)
    return RNG.integers(0, 5, count).astype(np.int32), values


def test_few_updates_are_one_scatter() -> None:
    found = operators(assert_agrees(combined("add"), ROWS, *updates(40)))
    assert "ScatterND" in found
    assert not {"Loop", "ScatterElements"} & set(found)


@pytest.mark.parametrize("kind", ["add", "multiply", "min", "max"])
@pytest.mark.parametrize("count", [7, 8, 9])
@pytest.mark.parametrize("symbolic", [False, True])
def test_many_updates_are_pieces(
    kind: str, count: int, symbolic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_ON_ONE_THREAD", 12)  # four updates
    specs = [("P", 3), InputSpec(("N",), np.int32), ("N", 3)] if symbolic else None
    found = operators(assert_agrees(combined(kind), ROWS, *updates(count), specs=specs))
    assert "Loop" in found
    assert "ScatterElements" not in found


def test_a_symbolic_number_of_updates_may_be_less_than_a_piece() -> None:
    specs = [(5, 3), InputSpec(("N",), np.int32), ("N", 3)]
    for count in (0, 1, 6):
        assert_agrees(combined("add"), ROWS, *updates(count), specs=specs)


def test_updates_that_are_more_than_a_piece_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_ON_ONE_THREAD", 2)
    assert "Loop" in operators(assert_agrees(combined("add"), ROWS, *updates(4)))


def test_a_large_operand_is_not_copied_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_ON_ONE_THREAD", 12)
    monkeypatch.setattr(pieces, "_COSTLY", 14)
    found = operators(assert_agrees(combined("add"), ROWS, *updates(9)))
    assert "ScatterElements" in found
    assert "Loop" not in found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("count", "size"), [(2**16, 2), (1000, 2**7), (2**18, 2), (4000, 2**7)])
def test_no_update_of_a_place_is_lost_on_many_threads(count: int, size: int, dtype: Any) -> None:
    x, u = np.zeros((4, size), dtype), np.ones((count, size), dtype)
    i = np.zeros(count, np.int32)
    with jax.enable_x64(dtype is np.float64):
        model = to_onnx(
            lambda x, i, u: x.at[i].add(jnp.asarray(u)),
            [x, i, u],
            enable_double_precision=dtype is np.float64,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    feeds = dict(zip((v.name for v in session.get_inputs()), (x, i, u), strict=True))
    for _ in range(20):
        y = session.run(None, feeds)[0]
        assert (y[0] == count).all()
        assert not y[1:].any()
