"""``to_onnx``: convert a JAX callable to an ONNX model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import jax
import onnx_ir as ir

from jax2onnx.errors import InputError
from jax2onnx.legalise import legalise, widen_bfloat16
from jax2onnx.lower import lower
from jax2onnx.options import Options, check_options, with_defaults, with_options
from jax2onnx.rewrite import rewrite
from jax2onnx.trace import trace
from jax2onnx.write import finalise, save, to_proto

if TYPE_CHECKING:
    import onnx

OPSETS = range(13, 29)
"""The versions of the default operator set that can be asked for."""

WEB_OPSET = 23
"""The newest operator set that ONNX Runtime's builds for browsers take."""


@overload
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = ...,
    model_name: str = ...,
    opset: int = ...,
    *,
    return_mode: Literal["proto"] = ...,
    **options: Unpack[Options],
) -> onnx.ModelProto: ...
@overload
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = ...,
    model_name: str = ...,
    opset: int = ...,
    *,
    return_mode: Literal["ir"],
    **options: Unpack[Options],
) -> ir.Model: ...
@overload
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = ...,
    model_name: str = ...,
    opset: int = ...,
    *,
    return_mode: Literal["file"],
    output_path: str | os.PathLike[str],
    **options: Unpack[Options],
) -> str: ...


@with_options
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str = "model",
    opset: int = 23,
    *,
    return_mode: Literal["proto", "ir", "file"] = "proto",
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> onnx.ModelProto | ir.Model | str:
    """Convert a JAX callable to an ONNX model that runs on ONNX Runtime.

    Args:
        fn: a function, an Equinox or Flax NNX module, ``(module, variables)`` of Flax Linen, a
            bound method of one of these, or a ``functools.partial`` of any. Its arrays become
            initializers that are named by their path in it (``blocks.3.attn.qkv.weight``). Modules
            compute as in inference, wherever they lie in it; ``training=True`` takes them as they
            are. Neither changes them.
        inputs: one specification for each positional argument, or a pytree of them: a shape such as
            ``("B", 30)`` (float32, or float64 with ``enable_double_precision``), an
            ``InputSpec``, a ``jax.ShapeDtypeStruct`` or an example array. A name is a symbolic
            dimension; the same name is the same dimension everywhere.
        input_params: keyword arguments that become inputs of the graph, with an example of each
            (``{"deterministic": True}``). Where the model needs the value of a boolean while it is
            traced, both values are traced and the graph holds an ``If``.
        model_name: name of the graph.
        opset: version of the default operator set, 13 to 28.
        return_mode: ``"proto"`` for an ``onnx.ModelProto``, ``"ir"`` for an ``onnx_ir.Model``,
            ``"file"`` to write ``output_path`` and return it.
        output_path: the file to write, for ``return_mode="file"``. A failed write leaves no file.
        **options: the options of ``jax2onnx.options.Options``.

    Returns:
        The model, in the form that ``return_mode`` asks for.

    Raises:
        InputError: an argument is malformed.
        ModelError: the model cannot be traced.
        SymbolicDimensionError: a dimension cannot be kept symbolic.
        UnsupportedPrimitiveError: lists every primitive that has no lowering.
        UnsupportedTypeError: the target has no kernel for the element type of a node.
        WriteError: the file cannot be written.
    """
    check_options(options, to_onnx)
    options = with_defaults(options)
    if opset not in OPSETS or not isinstance(opset, int):
        raise InputError(f"opset={opset}: choose one of {OPSETS[0]} to {OPSETS[-1]}")
    if options["export_mode"] == "web" and opset > WEB_OPSET:
        raise InputError(
            f"export_mode='web' and opset={opset}: ONNX Runtime in browsers takes operator sets up "
            f"to {WEB_OPSET}; leave out opset= or choose a lower one"
        )
    if return_mode not in ("proto", "ir", "file"):
        raise InputError(f"return_mode={return_mode!r}: choose 'proto', 'ir' or 'file'")
    if (return_mode == "file") != (output_path is not None):
        raise InputError("return_mode='file' and output_path= go together")
    if options["external_data"] is not None and return_mode != "file":
        raise InputError("external_data= is about files: it needs return_mode='file'")
    # Lowering traces too, where a primitive is decomposed in JAX.
    with jax.enable_x64(options["enable_double_precision"]):
        traced = trace(fn, inputs, input_params, **options)
        model = lower(traced, opset, model_name, **options)
    rewrite(model, **options)
    if options["export_mode"] == "web":
        widen_bfloat16(model)
    legalise(model, options["target"])
    finalise(model, traced.size_names)
    if return_mode == "ir":
        return model
    if output_path is None:
        return to_proto(model)
    save(model, output_path, external_data=options["external_data"])
    return os.fspath(output_path)
