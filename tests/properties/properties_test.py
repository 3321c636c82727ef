"""Random programs give the same results on ONNX Runtime as in JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
from hypothesis import assume, given, note
from hypothesis import strategies as st
from jax import lax

from jax2onnx import InputSpec, SymbolicDimensionError, onnx_function, to_onnx
from jax2onnx.checks.runtime import run
from tests.properties.programs import SYMBOLIC, Draw, Program, Row, Value, arrays_for, programs
from tests.properties.table import ROWS

SINGLE = ("float32", "int32", "bool", "float16", "bfloat16", "int8", "uint8")
DOUBLE = ("float64", "int64", "float32", "bool")


def _model(function: Any, inputs: Sequence[Value], symbolic: bool, **options: Any) -> Any:
    """Return the model, with symbolic sizes if asked for and if JAX can trace with them."""
    name = {SYMBOLIC: "B"} if symbolic else {}
    specs = [InputSpec([name.get(d, d) for d in v.shape], v.dtype) for v in inputs]
    try:
        return to_onnx(function, specs, **options)
    except SymbolicDimensionError:
        return to_onnx(function, [InputSpec(v.shape, v.dtype) for v in inputs], **options)


def _check(
    function: Callable[..., Any], inputs: Sequence[Value], tolerances: Sequence[float], draw: Draw
) -> None:
    double = any(v.dtype.itemsize == 8 for v in inputs)
    arrays = arrays_for(inputs, draw(st.integers(0, 99)))
    with jax.enable_x64(double):
        wanted = [np.asarray(x) for x in jax.jit(function)(*arrays)]
    opset = draw(st.sampled_from([23, 21]))
    symbolic = draw(st.booleans())
    model = _model(function, inputs, symbolic, opset=opset, enable_double_precision=double)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [i.name for i in session.get_inputs()]
    found = list(run(session, dict(zip(names, arrays, strict=True))).values())
    assert [(x.shape, x.dtype) for x in found] == [(x.shape, x.dtype) for x in wanted]
    for got, want, tolerance in zip(found, wanted, tolerances, strict=True):
        a, b = got.astype(np.float64), want.astype(np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def _drawn(
    data: st.DataObject, dtypes: Sequence[str], rows: Sequence[Row] = tuple(ROWS), steps: int = 6
) -> Program:
    with jax.enable_x64("float64" in dtypes):
        program = programs(data.draw, rows, dtypes, steps)
    assume(program.steps)
    note(repr(program))
    return program


def _tolerances(program: Program) -> list[float]:
    return [2 * program.values[i].error for i in program.results]


@given(st.data())
def test_programs(data: st.DataObject) -> None:
    program = _drawn(data, SINGLE)
    _check(program, program.values[: program.inputs], _tolerances(program), data.draw)


@given(st.data())
def test_programs_in_double_precision(data: st.DataObject) -> None:
    program = _drawn(data, DOUBLE)
    _check(program, program.values[: program.inputs], _tolerances(program), data.draw)


def _twice(*arrays: Any) -> list[Any]:
    """Return a batch of two for each array: the array and zeros."""
    return [jnp.stack([x, jnp.zeros_like(x)]) for x in arrays]


def _branch(f: Any) -> Any:
    return lambda *xs: lax.cond(jnp.sum(xs[0]) > 0, f, lambda *ys: f(*map(jnp.zeros_like, ys)), *xs)


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "jit": jax.jit,
    "vmap": lambda f: lambda *xs: jax.vmap(f)(*_twice(*xs)),
    "map": lambda f: lambda *xs: lax.map(lambda row: f(*row), _twice(*xs)),
    "cond": _branch,
    "remat": jax.checkpoint,
    "function": onnx_function(name="program"),
}


@given(st.data())
def test_programs_under_transformations(data: st.DataObject) -> None:
    program = _drawn(data, ("float32", "int32", "bool"), steps=3)
    name = data.draw(st.sampled_from(sorted(WRAPPERS)))
    note(f"in {name}")
    wrapped = WRAPPERS[name](lambda *xs: program(*xs))  # noqa: PLW0108  # a function, as jit needs it
    _check(wrapped, program.values[: program.inputs], _tolerances(program), data.draw)


SMOOTH = frozenset(
    (
        *("add", "subtract", "multiply", "neg", "sin", "tanh", "logistic", "gelu", "quotient"),
        *("softplus", "root", "flatten", "reshape", "transpose", "flip", "roll", "stride", "pad"),
        *("concatenate", "stack", "reduce_sum", "mean", "cumsum", "softmax", "dot", "scan", "loop"),
        *("mapped",),
    )
)


@given(st.data())
def test_gradients_of_programs(data: st.DataObject) -> None:
    rows = [row for row in ROWS if row.name in SMOOTH]
    program = _drawn(data, ("float32",), rows, steps=4)

    def total(*arrays: Any) -> Any:
        return sum(jnp.sum(jnp.sin(x)) for x in program(*arrays))

    def gradients(*arrays: Any) -> Any:
        return jax.grad(total, argnums=tuple(range(program.inputs)))(*arrays)

    # Errors propagate through the steps, whose derivatives are at most those of a sum of operands.
    steepness = max(value.bound for value in program.values) * max(v.size for v in program.values)
    tolerance = 1e-4 * max(steepness, 1)
    _check(gradients, program.values[: program.inputs], [tolerance] * program.inputs, data.draw)
