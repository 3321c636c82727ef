"""Parameters that the model reads as values while it is traced become constants by themselves."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
import pytest
from flax import nnx

from jax2onnx import InputError, ModelError, allclose, onnx_function, to_onnx
from jax2onnx.testing.agreement import operators
from jax2onnx.testing.conversion import assert_agrees

X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)
PERIODS = jnp.linspace(1, 2, 8)


class Block(eqx.Module):
    """A block as in DINOv3: its rotary table is computed by numpy from a parameter."""

    weight: Any
    periods: Any
    scale: Any

    def __init__(self) -> None:
        self.weight, self.periods, self.scale = jnp.eye(8) * 2, PERIODS, jnp.ones(1)

    def __call__(self, x: Any) -> Any:
        table = np.cos(np.asarray(self.periods))
        return (x @ self.weight) * table * float(self.scale[0])


class Net(eqx.Module):
    blocks: list[Block]
    mask: Any

    def __init__(self) -> None:
        self.blocks, self.mask = [Block() for _ in range(3)], jnp.arange(8) % 2 == 0

    def __call__(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return x[:, self.mask]


class NnxBlock(nnx.Module):
    def __init__(self) -> None:
        self.weight, self.periods = nnx.Param(jnp.eye(8) * 2), nnx.Param(PERIODS)

    def __call__(self, x: Any) -> Any:
        return (x @ self.weight[...]) * np.asarray(self.periods[...]) + self.periods[...]


def names(model: Any) -> list[str]:
    return [i.name for i in model.graph.initializer if not i.name.startswith("constant")]


def test_all_others_stay_named() -> None:
    model = assert_agrees(Net(), X, specs=[("B", 8)])
    assert names(model) == [f"blocks.{i}.weight" for i in range(3)]


class Marked(Block):
    @onnx_function
    def __call__(self, x: Any) -> Any:
        return super().__call__(x)


def test_a_function_reads_values() -> None:
    def twice(blocks: list[Block], x: Any) -> Any:
        return blocks[1](blocks[0](x))

    model = to_onnx(functools.partial(twice, [Marked(), Marked()]), [X])  # type: ignore[call-arg]
    assert allclose(functools.partial(twice, [Block(), Block()]), model, [X])
    assert operators(model) == ["Marked", "Marked"]
    assert names(model) == ["0.weight", "1.weight"]


def test_a_parameter_that_is_also_used_as_an_array_keeps_its_name() -> None:
    assert names(assert_agrees(NnxBlock(), X, specs=[("B", 8)])) == ["weight", "periods"]


def test_a_model_of_many_blocks_is_traced_few_times() -> None:
    traced = []

    def counted(net: Net, x: Any) -> Any:
        traced.append(1)
        return net(x)

    to_onnx(functools.partial(counted, Net()), [("B", 8)])
    assert len(traced) == 4  # periods, scales and the mask are each found missing once


def looped(block: Block, x: Any) -> Any:
    return jax.lax.scan(lambda c, _: (c * np.asarray(block.scale), None), x, None, length=2)[0]


def test_a_value_may_be_read_in_a_loop() -> None:
    assert_agrees(functools.partial(looped, Block()), X)


def test_a_partial_makes_an_input_a_constant() -> None:
    def chosen(x: Any, mask: Any, stop: Any) -> Any:
        return x[:, np.asarray(mask)] + jnp.arange(int(stop))

    mask, stop = np.arange(8) < 3, jnp.asarray(3)
    with pytest.raises(
        ModelError, match=r"(?s)'mask' always has the same .* functools.partial\(fn, ma"
    ):
        to_onnx(chosen, [X, mask, stop])
    rest = functools.partial(chosen, mask=mask)
    with pytest.raises(ModelError, match=r"'stop' always has the same value"):
        to_onnx(rest, [X], {"stop": stop})
    assert_agrees(functools.partial(rest, stop=stop), X, specs=[("B", 8)])


def test_a_boolean_index_gets_advice() -> None:
    with pytest.raises(ModelError, match=r"jnp\.where\(mask, x, 0\)"):
        to_onnx(lambda x, mask: x[:, mask], [X, np.arange(8) < 3])


def abstract() -> Any:
    return eqx.filter_eval_shape(Block)


def test_by_reference_the_value_is_read_from_the_file(tmp_path: Path) -> None:
    block = Block()
    path = tmp_path / "weights.bin"
    path.write_bytes(b"".join(np.asarray(a).tobytes() for a in jax.tree_util.tree_leaves(block)))
    tensors, offset = {}, 0
    for name in ("weight", "periods", "scale"):
        array = getattr(block, name)
        tensors[name] = ir.ExternalTensor(
            path.name, offset, array.nbytes, ir.DataType.FLOAT, name=name,
            shape=ir.Shape(array.shape), base_dir=tmp_path,
        )  # fmt: skip
        offset += array.nbytes
    (model,) = [to_onnx(abstract(), [X], return_mode="ir", parameters=tensors)]
    assert isinstance(model.graph.initializers["weight"].const_value, ir.ExternalTensor)
    assert "periods" not in model.graph.initializers
    assert operators(ir.to_proto(model)) == operators(to_onnx(block, [X]))
    with pytest.raises(ModelError, match=r"'periods' .* abstract: give its tensor"):
        to_onnx(abstract(), [X])
    with pytest.raises(InputError, match=r"periods is float32\[8\] in the model, float64\[1\]"):
        to_onnx(abstract(), [X], parameters={**tensors, "periods": ir.tensor(np.ones(1))})
