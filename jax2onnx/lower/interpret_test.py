"""Tests of ``interpret``, ``context`` and ``registry``: the arguments and results of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
import pytest
from jax.extend.core import Primitive

from jax2onnx.errors import LoweringError, UnsupportedPrimitiveError, UnsupportedUseError
from jax2onnx.lower import Context, in_jax, register_lowering
from jax2onnx.lower.registry import LOWERINGS, rule_of
from jax2onnx.testing.agreement import lowered


@pytest.fixture
def primitive() -> Iterator[Primitive]:
    """Return a primitive of one operand and one result of its type, without a rule."""
    made = Primitive("triple")
    made.def_abstract_eval(lambda x, **_: x)
    yield made
    LOWERINGS.pop(made, None)


def convert(function: Callable[..., Any], *shapes: Sequence[int | str], **options: Any) -> ir.Model:
    return ir.from_proto(lowered(function, [tuple(s) for s in shapes], **options))


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_a_rule_gets_the_equation(primitive: Primitive) -> None:
    seen: dict[str, Any] = {}

    @register_lowering(primitive)
    def _(ctx: Context, x: ir.Value, *, factor: float) -> ir.Value:
        seen.update(
            dims=ctx.out_dims,
            dtype=ctx.out_dtype,
            types=ctx.out_types,
            avals=(ctx.avals_in[0].shape, ctx.avals_out[0].dtype),
            opset=ctx.opset,
            where=ctx.where,
            inner=ctx.in_decomposition,
        )
        return ctx.op.Mul(x, factor)

    model = convert(lambda x: primitive.bind(x, factor=3.0), (2, 3), opset=22)
    assert operators(model) == ["Mul"]
    assert seen["dims"] == (2, 3)
    assert seen["dtype"] == ir.DataType.FLOAT
    assert seen["types"] == [(np.float32, (2, 3))]
    assert seen["avals"] == ((2, 3), np.float32)
    assert seen["opset"] == 22
    assert seen["where"].startswith("triple at ")
    assert "interpret_test.py" in seen["where"]
    assert not seen["inner"]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (lambda ctx, x: [], r"gave 0 value\(s\) for 1 result\(s\)"),
        (lambda ctx, x: [x, x], r"gave 2 value\(s\) for 1"),
        (lambda ctx, x: ctx.cast(x, np.int32), r"gave INT32\[2, 3\] for float32\[2,3\]"),
        (lambda ctx, x: ctx.reshape(x, (6,)), r"gave FLOAT\[6\] for float32\[2,3\]"),
    ],
)
def test_a_rule_with_wrong_results_is_named_in_the_error(
    primitive: Primitive, rule: Callable[..., Any], complaint: str
) -> None:
    register_lowering(primitive)(rule)
    with pytest.raises(LoweringError, match=rf"the lowering of triple at .*{complaint}"):
        convert(primitive.bind, (2, 3))


def test_all_primitives_without_a_rule_are_listed(primitive: Primitive) -> None:
    other = Primitive("other")
    other.def_abstract_eval(lambda x: x)

    @jax.jit
    def inner(x: jax.Array) -> jax.Array:
        return other.bind(x)  # type: ignore[no-any-return]

    with pytest.raises(UnsupportedPrimitiveError) as caught:
        convert(lambda x: inner(primitive.bind(x)) + primitive.bind(x), (2,))
    names = [name for name, _ in caught.value.missing]
    assert sorted(set(names)) == ["other", "triple"]
    assert all("interpret_test.py" in where for _, where in caught.value.missing)


def test_an_error_within_a_decomposition_has_the_users_line(primitive: Primitive) -> None:
    inner = Primitive("inner")
    inner.def_abstract_eval(lambda x: x)
    lines: list[tuple[str, bool]] = []

    @register_lowering(inner)
    def _(ctx: Context, x: ir.Value) -> ir.Value:
        lines.append((ctx.line, ctx.in_decomposition))
        raise UnsupportedUseError(ctx.where)

    register_lowering(primitive)(in_jax(inner.bind))

    def model(x: jax.Array) -> Any:
        return primitive.bind(x)

    with pytest.raises(UnsupportedUseError, match=r"inner at .*\(.*model\)"):
        convert(model, (2,))
    del LOWERINGS[inner]
    assert [inside for _, inside in lines] == [True]


def test_an_operator_replaces_a_decomposition(primitive: Primitive) -> None:
    def by_operator(ctx: Context, x: ir.Value) -> ir.Value:
        return ctx.op.Triple(x)

    register_lowering(primitive)(in_jax(lambda x: x * 3, operator=by_operator, since=24))
    assert operators(convert(primitive.bind, (2,), opset=23)) == ["Mul"]
    rule = rule_of(primitive)
    assert rule is not None
    with pytest.raises(Exception, match="Triple"):  # The target has no kernel for it.
        convert(primitive.bind, (2,), opset=24)


def test_a_decomposition_is_traced_once_for_each_type_and_params(primitive: Primitive) -> None:
    traced: list[tuple[Any, ...]] = []

    def decomposition(x: jax.Array, *, by: Any) -> Any:
        traced.append((x.shape, by))
        return x * by

    def model(x: jax.Array) -> Any:
        for by in (2, 2, 3, 2.0):
            x = primitive.bind(x, by=by)
        return x.sum() + primitive.bind(x[:1], by=2)

    register_lowering(primitive)(in_jax(decomposition))
    assert operators(convert(model, (4,))).count("Mul") == 5
    assert [(shape, repr(by)) for shape, by in traced] == [
        ((4,), "2"),
        ((4,), "3"),
        ((4,), "2.0"),
        ((1,), "2"),
    ]


def test_params_that_are_arrays(primitive: Primitive) -> None:
    def scaled(x: jax.Array, by: Any) -> Any:
        return x * by

    @register_lowering(primitive)
    def _(ctx: Context, x: ir.Value) -> ir.Value:
        by = np.arange(2, dtype=np.float32)
        return ctx.lower_function(scaled, ctx.lower_function(scaled, [x], by=by), by=by + 1)[0]

    assert operators(convert(primitive.bind, (2,))) == ["Mul", "Mul"]


def test_results_without_elements_are_not_computed(primitive: Primitive) -> None:
    register_lowering(primitive)(lambda ctx, x: pytest.fail("the rule ran"))
    model = convert(primitive.bind, (0, 3))
    assert operators(model) == ["Identity"]


def test_an_output_that_is_an_input_gets_its_own_node() -> None:
    model = convert(lambda x, y: (x, x, y + 1), (2,), (2,))
    assert sorted(operators(model)) == ["Add", "Identity", "Identity"]
    assert len({id(v) for v in model.graph.outputs}) == 3


def test_the_last_value_of_a_module_is_named_after_it() -> None:
    parameters = {"layer": {"weight": np.ones((3, 3), np.float32)}}

    class Model:
        layer = parameters["layer"]

        def __call__(self, x: jax.Array) -> jax.Array:
            return jnp.sin(x @ self.layer["weight"]) * 2

    names = [v.name for node in convert(Model(), (2, 3)).graph for v in node.outputs]
    assert "layer/output" in names


def test_an_unknown_primitive_has_no_rule() -> None:
    assert rule_of(Primitive("nobody's")) is None
