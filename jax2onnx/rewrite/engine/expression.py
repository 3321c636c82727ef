"""Rules whose pattern is a function of JAX.

``Expression("Elu", jax.nn.elu, captured=("alpha",))`` is a rule. When a graph first has one of its
triggers, JAX's own function is traced and lowered, and the resulting graph is the pattern. Such a
rule is one line, and it follows JAX when JAX changes the function. It goes by what is computed and
not by names: a user's function that computes the same is recognised, in ``vmap`` and ``grad`` too,
and a function of that name that computes something else is not.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import onnx_ir as ir

from jax2onnx.lower import lower
from jax2onnx.rewrite.analyses.nodes import the_input
from jax2onnx.rewrite.analyses.values import is_float, is_single, scalar, stands_for
from jax2onnx.rewrite.engine.editor import Editor, Operators
from jax2onnx.rewrite.engine.pattern import Match, Pattern, PatternRule, Var, op, primitive, product
from jax2onnx.trace import InputSpec, trace


@dataclass(frozen=True, eq=False)
class Expression:
    """A rule that replaces what ``function`` is lowered to by one operator.

    Attributes:
        op_type: The operator.
        function: Takes the operator's inputs, then a scalar for each name in ``captured``. It is
            traced with vectors of the dtype that the graph has.
        others: Functions that compute the same in another way.
        inputs: The number of the operator's inputs.
        captured: Attributes of the operator whose values are constants of the expression.
        attributes: Attributes of the operator that are always the same.
        where: A condition that the first input must meet.
    """

    op_type: str
    function: Callable[..., Any]
    others: Sequence[Callable[..., Any]] = ()
    inputs: int = 1
    captured: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    where: Callable[[ir.Value], bool] = is_single

    def __call__(self, editor: Editor, node: ir.Node) -> bool:
        """Replace the nearest expression around ``node`` that matches."""
        x = node.outputs[0] if is_float(node.outputs[0]) else the_input(node)  # of a comparison
        if x.dtype is None or not is_float(x):
            return False
        return self._rule(x.dtype, editor.opset)(editor, node)

    @functools.cache  # noqa: B019  rules live as long as the process
    def _rule(self, dtype: ir.DataType, opset: int) -> PatternRule:
        functions = (self.function, *self.others)
        return PatternRule(tuple(self._pattern(f, dtype, opset) for f in functions), self._build)

    def _pattern(self, function: Callable[..., Any], dtype: ir.DataType, opset: int) -> Pattern:
        names = [*(f"x{i}" for i in range(self.inputs)), *self.captured]
        shapes: list[tuple[Any, ...]] = [("n",), *((),) * (len(names) - 1)]
        specs = [InputSpec(shape, dtype.numpy()) for shape in shapes]
        with jax.enable_x64(dtype == ir.DataType.DOUBLE):
            model = lower(trace(function, specs, input_names=names), opset, self.op_type)
        conditions = {"x0": self.where} | dict.fromkeys(self.captured, _is_number)
        known: dict[ir.Value, Pattern] = {
            value: Var(name, conditions.get(name))
            for name, value in zip(names, model.graph.inputs, strict=True)
        }
        constants = {model.graph.inputs[i] for i in range(self.inputs, len(names))}
        return _as_pattern(model.graph.outputs[0], known, constants)

    def _build(self, add: Operators, found: Match) -> ir.Value:
        attributes: dict[str, Any] = {name: scalar(found[name]) for name in self.captured}
        operands = [found[f"x{i}"] for i in range(self.inputs)]
        return add(self.op_type, *operands, **self.attributes, **attributes)


def _is_number(value: ir.Value) -> bool:
    return scalar(value) is not None


def _as_pattern(
    value: ir.Value | None, known: Mapping[ir.Value, Pattern], constants: set[ir.Value]
) -> Pattern:
    """Return the pattern of what computes ``value``, given those of the inputs of the function."""
    assert value is not None
    if value in known:
        return known[value]
    number = scalar(value)
    if number is not None:
        return product(number)
    marked = stands_for(value)
    if marked is not None:
        return primitive(marked.name, *(_as_pattern(v, known, constants) for v in marked.operands))
    node = value.producer()
    assert node is not None
    operands = [_as_pattern(v, known, constants) for v in node.inputs]
    if constants.isdisjoint(node.inputs):
        if node.op_type in ("Mul", "Neg"):
            return product(*operands, *((-1.0,) if node.op_type == "Neg" else ()))
        divisor = scalar(node.inputs[1]) if node.op_type == "Div" else None
        if divisor:
            return product(operands[0], 1 / divisor)
    attributes = {name: a.value for name, a in node.attributes.items()}
    like: Pattern = getattr(op, node.op_type)(*operands, **attributes)
    return like
