from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jax2onnx import to_onnx
from jax2onnx.models import OUTPUT_SUFFIX, evaluate, module_outputs, parameters, with_parameters

X: Any = np.linspace(-1, 1, 3, dtype=np.float32)


class Block(eqx.Module):
    first: eqx.nn.Linear
    second: eqx.nn.Linear

    def __init__(self, key: Array) -> None:
        self.first = eqx.nn.Linear(3, 4, key=key)
        self.second = eqx.nn.Linear(4, 2, use_bias=False, key=key)

    def __call__(self, x: Array) -> Array:
        return jax.nn.relu(self.second(jax.nn.relu(self.first(x))))


BLOCK = Block(jax.random.key(0))


def test_a_model_is_evaluated_as_it_is_converted() -> None:
    drop = eqx.nn.Dropout(0.9)  # which needs a key outside inference
    (found,) = evaluate(drop, [X])
    np.testing.assert_array_equal(found, X)
    with pytest.raises(RuntimeError, match="key"):
        evaluate(drop, [X], training=True)


def test_parameters_have_their_paths() -> None:
    assert {path: leaf.shape for path, leaf in parameters(BLOCK).items()} == {
        "first.weight": (4, 3),
        "first.bias": (4,),
        "second.weight": (2, 4),
    }


def test_parameters_of_an_abstract_model() -> None:
    abstract = eqx.filter_eval_shape(Block, jax.random.key(0))
    leaves = parameters(abstract)
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves.values())
    filled = with_parameters(abstract, parameters(BLOCK))
    np.testing.assert_array_equal(filled(X), BLOCK(X))


def test_with_other_parameters() -> None:
    zero = {path: jnp.zeros_like(leaf) for path, leaf in parameters(BLOCK).items()}
    assert not with_parameters(BLOCK, zero)(X).any()
    with pytest.raises(KeyError, match=r"second\.weight"):
        with_parameters(BLOCK, {path: zero[path] for path in ("first.weight", "first.bias")})


@pytest.mark.parametrize("wrap", [lambda f: f, jax.checkpoint, jax.jit])
def test_the_last_value_of_each_module_is_named_after_it(wrap: Any) -> None:
    class Wrapped(eqx.Module):
        block: Block

        def __call__(self, x: Array) -> Array:
            called: Array = wrap(lambda block, y: block(y))(self.block, x)
            return called

    found = module_outputs(Wrapped(BLOCK), [X])
    assert BLOCK.first.bias is not None
    hidden = BLOCK.first.weight @ X + BLOCK.first.bias
    assert list(found)[:2] == ["block.first", "block.second"]
    np.testing.assert_allclose(found["block.first"], hidden, rtol=1e-6)
    np.testing.assert_allclose(
        found["block.second"], BLOCK.second.weight @ jax.nn.relu(hidden), rtol=1e-6
    )


def test_the_onnx_model_names_the_same_values() -> None:
    model = to_onnx(BLOCK, [(3,)])
    named = {name for node in model.graph.node for name in node.output if OUTPUT_SUFFIX in name}
    assert named == {f"{module}{OUTPUT_SUFFIX}" for module in module_outputs(BLOCK, [X])}


def test_layers_on_a_vector_convert() -> None:
    """Rewriting moved the view of a bias, and that of the value beside it, without end."""
    model = to_onnx(lambda x: BLOCK.first(jax.nn.relu(BLOCK.first(x)[:3])), [(3,)])
    assert "Gemm" in {node.op_type for node in model.graph.node}
