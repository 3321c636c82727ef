"""``allclose``: does an ONNX model compute what the JAX callable computes?"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import tree_util

from jax2onnx import runtime
from jax2onnx.errors import InputError
from jax2onnx.trace.callables import parameterise

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Comparison:
    """Whether all outputs agree, and how far each is off; true where they agree."""

    agree: bool
    report: str

    def __bool__(self) -> bool:
        return self.agree

    def __str__(self) -> str:
        return self.report


def allclose(
    fn: Callable[..., Any] | tuple[Any, Any],
    model: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    *,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    enable_double_precision: bool = False,
) -> Comparison:
    """Runs ``fn`` in JAX and ``model`` on ONNX Runtime's CPU provider, and compares all outputs.

    Args:
        fn: what was given to `to_onnx`.
        model: path of an ``.onnx`` file, or an ``onnx.ModelProto``.
        inputs: arrays, or pytrees of them, one for each positional argument.
        input_params: keyword arguments that are inputs of the graph.
        rtol: tolerance relative to the expected value.
        atol: absolute tolerance.
        enable_double_precision: run JAX with 64-bit types.

    Raises:
        InputError: the number of inputs does not fit the model.
    """
    import onnxruntime

    source = os.fspath(model) if isinstance(model, str | os.PathLike) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    keywords = dict(input_params or {})
    arrays = [np.asarray(x) for x in tree_util.tree_leaves((list(inputs), keywords))]
    types = runtime.input_types(session)
    if len(arrays) != len(types):
        raise InputError(
            f"the model has {len(types)} inputs ({', '.join(types)}), got {len(arrays)}"
        )
    found = runtime.run(
        session,
        {
            name: packed(x).astype(dtype, copy=False)
            for (name, dtype), x in zip(types.items(), arrays, strict=True)
        },
    )
    parameterised = parameterise(fn)
    with jax.enable_x64(enable_double_precision):
        callable_ = parameterised.rebuild(parameterised.leaves)
        arguments = tree_util.tree_map(jax.numpy.asarray, (list(inputs), keywords))
        results = tree_util.tree_leaves(callable_(*arguments[0], **arguments[1]))
        expected = [packed(np.asarray(jax.numpy.asarray(x))) for x in results]
    return compare(list(found), expected, list(found.values()), rtol=rtol, atol=atol)


def packed(array: Array) -> Array:
    """An array as a graph takes it: the parts of a complex one in a last axis of two."""
    if array.dtype.kind != "c":
        return array
    return np.stack([array.real, array.imag], axis=-1)


def compare(
    names: Sequence[str],
    expected: Sequence[Array],
    found: Sequence[Array],
    *,
    rtol: float,
    atol: float,
) -> Comparison:
    """Compares outputs one by one: their number, dtype, shape and values (NaN equals NaN)."""
    if len(expected) != len(found):
        return Comparison(False, f"{len(found)} outputs, expected {len(expected)}")
    lines, agree = [], True
    for name, want, got in zip(names, expected, found, strict=True):
        problem = _difference(want, got, rtol, atol)
        agree &= problem is None
        lines.append(f"{name}: {problem or 'equal within the tolerance'}")
    return Comparison(agree, "\n".join(lines))


def _difference(want: Array, got: Array, rtol: float, atol: float) -> str | None:
    if want.shape != got.shape or want.dtype != got.dtype:
        return f"{got.dtype}{list(got.shape)}, expected {want.dtype}{list(want.shape)}"
    a, b = want.astype(np.float64), got.astype(np.float64)
    close = np.isclose(b, a, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return None
    with np.errstate(invalid="ignore"):
        off = np.where(close, 0.0, np.nan_to_num(np.abs(a - b), nan=np.inf))
    where = np.unravel_index(int(off.argmax()), off.shape)
    index = ", ".join(str(int(i)) for i in where)
    return (
        f"{(~close).sum()} of {close.size} values differ, most at [{index}]: "
        f"{got[where]}, expected {want[where]}"
    )
