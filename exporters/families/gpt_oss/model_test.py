"""The JAX model agrees with the stored results of torch and transformers."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from exporters.artifact import bind as binding
from exporters.families.gpt_oss import forward
from exporters.families.gpt_oss.checkpoint import Dtype, Stack, bind
from exporters.families.gpt_oss.forward import run
from exporters.families.gpt_oss.model_equinox import GptOss
from jax2onnx.models import parameters
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
LAYOUTS = ("dense", "mxfp4", "original")
CASES = ("short", "long")

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def torch() -> dict[str, Array]:
    """Return the arrays that ``make_gpt_oss.py`` stored."""
    with np.load(FIXTURES / "gpt_oss_reference.npz", allow_pickle=False) as stored:
        return dict(stored)


def load(layout: str, dtype: Dtype = "float32", stack: Stack = "equinox") -> GptOss:
    checkpoint = Checkpoint.open(FIXTURES / f"gpt_oss_{layout}")
    model, bound = bind(checkpoint, dtype=dtype, stack=stack)
    return binding.load(model, bound, checkpoint)


def whole(model: GptOss, ids: Array) -> jax.Array:
    """Return the logits of sequences without padding."""
    numbers = jnp.asarray(ids)
    (logits,) = eqx.filter_jit(model)(numbers, jnp.ones_like(numbers))
    return logits


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_logits(layout: str, case: str, torch: dict[str, Array]) -> None:
    logits = whole(load(layout), torch[f"{case}/input_ids"])
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, torch[f"{case}/logits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("vocabulary", [256, 300])
def test_a_large_head_is_cast_in_pieces(vocabulary: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "_LARGE", 0)
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 64), np.float32)
    weight = jnp.asarray(random.standard_normal((vocabulary, 64)), jnp.bfloat16)
    assert "scan" in str(jax.make_jaxpr(forward.scores)(x, weight))
    expected = x.astype(np.float64) @ np.asarray(weight).astype(np.float64).T
    np.testing.assert_allclose(jax.jit(forward.scores)(x, weight), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_every_layer(case: str, torch: dict[str, Array]) -> None:
    ids = jnp.asarray(torch[f"{case}/input_ids"])
    states, *_ = eqx.filter_jit(run)(load("mxfp4"), ids, jnp.ones_like(ids))
    for index, state in enumerate(states):
        expected = torch[f"{case}/hidden_states.{index}"]
        np.testing.assert_allclose(state, expected, rtol=1e-5, atol=1e-5, err_msg=str(index))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.05), ("bfloat16", 0.3)])
def test_narrow_arithmetic(dtype: Dtype, tolerance: float, torch: dict[str, Array]) -> None:
    """Logits are f32 in each dtype, and their error depends only on its precision."""
    logits = whole(load("mxfp4", dtype), torch["long/input_ids"])
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, torch["long/logits"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_traces_without_weights_for_any_batch_and_length(layout: str) -> None:
    model, _ = bind(Checkpoint.open(FIXTURES / f"gpt_oss_{layout}"))
    shape = jax.export.symbolic_shape("B, T")
    ids = jax.eval_shape(lambda: jnp.zeros(shape, jnp.int32))
    (logits,) = eqx.filter_eval_shape(model, ids, ids)
    assert str(logits.shape) == "(B, T, 101)"
    assert logits.dtype == np.float32


def test_attention_is_causal(torch: dict[str, Array]) -> None:
    found = whole(load("mxfp4"), torch["long/input_ids"][:, :7])
    np.testing.assert_allclose(found, torch["long/logits"][:, :7], rtol=0, atol=1e-5)


def test_a_sliding_layer_attends_to_its_window(torch: dict[str, Array]) -> None:
    """The window of the first layer is 5, so a change affects only the next four positions."""
    model = load("mxfp4")
    first = eqx.filter_jit(lambda ids: run(model, ids, jnp.ones_like(ids))[0][1])
    ids = np.asarray(jnp.asarray(torch["long/input_ids"]))
    changed = ids.copy()
    changed[:, 3] += 1
    moved = np.abs(first(ids) - first(changed)).max(axis=(0, 2)) > 1e-6
    assert moved.tolist() == [3 <= position < 8 for position in range(13)]


MASKS = {
    "left": [[0] * 6 + [1] * 7, [1] * 13],
    "right": [[1] * 7 + [0] * 6, [1] * 13],
    "inside": [[1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0], [1] * 13],
}


@pytest.mark.parametrize("side", MASKS)
def test_padding_changes_nothing(side: str, torch: dict[str, Array]) -> None:
    """A sequence of seven tokens has the logits that torch has for it alone."""
    mask = np.array(MASKS[side])
    ids = np.full((2, 13), 99)
    ids[0, mask[0] != 0] = torch["long/input_ids"][0, :7]
    ids[1] = torch["long/input_ids"][1]
    (logits,) = eqx.filter_jit(load("mxfp4"))(jnp.asarray(ids), jnp.asarray(mask))
    expected = torch["long/logits"]
    np.testing.assert_allclose(logits[0][mask[0] != 0], expected[0, :7], rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits[1], expected[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_stacks_compute_the_same(layout: str, torch: dict[str, Array]) -> None:
    ids = jnp.asarray(torch["long/input_ids"])
    ours, theirs = load(layout, stack="equinox"), load(layout, stack="nnx")
    assert parameters(ours).keys() == parameters(theirs).keys()
    (expected,) = eqx.filter_jit(ours)(ids, jnp.ones_like(ids))
    (found,) = nnx.jit(lambda model: model(ids, jnp.ones_like(ids)))(theirs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
