"""``allclose``: compare what an ONNX model and a JAX callable compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax import tree_util

from jax2onnx.checks import runtime
from jax2onnx.checks.comparison import Tolerance, difference
from jax2onnx.errors import InputError
from jax2onnx.trace.frameworks.callables import parameterise
from jax2onnx.trace.frameworks.inference import mode
from jax2onnx.trace.inputs.border import TO_NCHW, images, permuted
from jax2onnx.trace.inputs.specs import examples

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

Array = np.ndarray[Any, Any]


class Comparison(NamedTuple):
    """The result of ``allclose``, which is true if all outputs agree.

    Attributes:
        agree: whether all outputs agree.
        report: one line or more for each output: whether it agrees, and how far it is off.
    """

    agree: bool
    report: str

    def __bool__(self) -> bool:
        return self.agree

    def __str__(self) -> str:
        return self.report


def allclose(
    fn: Callable[..., Any] | tuple[Any, Any],
    onnx_model_path: str | os.PathLike[str] | onnx.ModelProto,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    *,
    enable_double_precision: bool = False,
    training: bool = False,
    inputs_as_nchw: Sequence[int | str] | None = (),
    outputs_as_nchw: Sequence[int | str] | None = (),
) -> Comparison:
    """Run ``fn`` in JAX and a model on ONNX Runtime's CPU provider, and compare all outputs.

    Args:
        fn: the callable, as ``to_onnx`` took it. Its modules compute as in inference.
        onnx_model_path: the path of an ``.onnx`` file, or an ``onnx.ModelProto``.
        inputs: one array, or pytree of arrays, for each positional argument of ``fn``. In place of
            an array, a shape as for ``to_onnx``: random numbers of that shape are drawn.
        input_params: keyword arguments that are inputs of the graph.
        rtol: the tolerance relative to the expected value.
        atol: the absolute tolerance.
        enable_double_precision: run JAX with 64-bit types.
        training: as ``to_onnx`` took it: modules compute as they are.
        inputs_as_nchw: as ``to_onnx`` took it.
        outputs_as_nchw: as ``to_onnx`` took it.

    Returns:
        A ``Comparison``, which is true if the outputs agree. It can be unpacked:
        ``is_match, message = allclose(...)``.

    Raises:
        InputError: there is no such file, or the number of inputs does not fit the model.
    """
    session = _session(onnx_model_path)
    types = runtime.input_types(session)
    with jax.enable_x64(enable_double_precision):
        given = examples(inputs, enable_double_precision), dict(input_params or {})
        arrays = list(map(packed, tree_util.tree_leaves(given)))
        if len(arrays) != len(types):
            raise InputError(
                f"the model has {len(types)} inputs ({', '.join(types)}), got {len(arrays)}"
            )
        swapped = images(
            "inputs_as_nchw", inputs_as_nchw or (), list(types), [x.shape for x in arrays]
        )
        feeds = zip(types.items(), permuted(arrays, swapped, TO_NCHW), strict=True)
        found = runtime.run(session, {n: x.astype(t, copy=False) for (n, t), x in feeds})
        parameterised = parameterise(fn)
        positional, keywords = tree_util.tree_map(
            lambda x: x if isinstance(x, bool) else jax.numpy.asarray(x), given
        )
        with mode(training):
            callable_ = parameterised.rebuild(parameterised.leaves)
            results = tree_util.tree_leaves(callable_(*positional, **keywords))
        expected = [packed(x if type(x) is int else jax.numpy.asarray(x)) for x in results]
    shapes = [x.shape for x in expected]
    turned = images("outputs_as_nchw", outputs_as_nchw or (), list(found), shapes)
    expected = permuted(expected, turned, TO_NCHW)
    return compare(list(found), expected, list(found.values()), rtol=rtol, atol=atol)


def _session(model: str | os.PathLike[str] | onnx.ModelProto) -> ort.InferenceSession:
    import onnxruntime

    if not isinstance(model, str | os.PathLike):
        source: str | bytes = model.SerializeToString()
    elif Path(model).is_file():
        source = os.fspath(model)
    else:
        raise InputError(f"there is no file {os.fspath(model)}. Give the path of an .onnx file.")
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def packed(array: Any) -> Array:
    """Return an array, or a Python number, as the ONNX model takes it.

    A complex array becomes one of real numbers with a trailing axis of two, for the real and the
    imaginary part. An array of random keys becomes the integers that they consist of.
    """
    if hasattr(array, "dtype") and jax.numpy.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    held: Array = np.asarray(array)
    return np.stack([held.real, held.imag], axis=-1) if held.dtype.kind == "c" else held


def compare(
    names: Sequence[str],
    expected: Sequence[Array],
    found: Sequence[Array],
    *,
    rtol: float,
    atol: float,
) -> Comparison:
    """Compare outputs one by one: their number, and each one's dtype, shape and values.

    Args:
        names: the name of each output.
        expected: the arrays that the reference computed.
        found: the arrays that the model computed.
        rtol: tolerance relative to the expected value.
        atol: absolute tolerance.
    """
    if len(expected) != len(found):
        return Comparison(False, f"{len(found)} outputs, expected {len(expected)}")
    lines, agree = [], True
    for name, want, got in zip(names, expected, found, strict=True):
        problem = difference(want, got, Tolerance(atol, rtol))
        agree &= problem is None
        lines.append(f"{name}: {problem or 'equal within the tolerance'}")
    return Comparison(agree, "\n".join(lines))
