"""``to_onnx``: a JAX callable becomes an ONNX model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

import jax
import onnx_ir as ir

from jax2onnx.errors import InputError
from jax2onnx.legalise import legalise
from jax2onnx.lower import lower
from jax2onnx.rewrite import Preference, rewrite
from jax2onnx.trace import trace
from jax2onnx.write import finalise, save, to_proto

if TYPE_CHECKING:
    import onnx

OPSETS = range(21, 29)
"""Versions of the default operator set that can be asked for."""


class _Options(TypedDict, total=False):
    input_params: Mapping[str, Any] | None
    model_name: str
    opset: int
    enable_double_precision: bool
    output_path: str | os.PathLike[str] | None
    external_data: bool | str | None
    input_names: Sequence[str] | None
    output_names: Sequence[str] | None
    inputs_as_nchw: Sequence[int | str]
    outputs_as_nchw: Sequence[int | str]
    parameters: Mapping[str, ir.TensorProtocol] | None
    constraints: Sequence[str]
    call_sites: bool
    target: str
    prefer: Preference
    fold_batch_norm: bool


@overload
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    *,
    return_mode: Literal["ir"],
    **options: Unpack[_Options],
) -> ir.Model: ...
@overload
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    *,
    return_mode: Literal["file"],
    **options: Unpack[_Options],
) -> str: ...
@overload
def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = ...,
    model_name: str = ...,
    opset: int = ...,
    *,
    return_mode: Literal["proto"] = ...,
    enable_double_precision: bool = ...,
    input_names: Sequence[str] | None = ...,
    output_names: Sequence[str] | None = ...,
    inputs_as_nchw: Sequence[int | str] = ...,
    outputs_as_nchw: Sequence[int | str] = ...,
    parameters: Mapping[str, ir.TensorProtocol] | None = ...,
    constraints: Sequence[str] = ...,
    call_sites: bool = ...,
    target: str = ...,
    prefer: Preference = ...,
    fold_batch_norm: bool = ...,
) -> onnx.ModelProto: ...


def to_onnx(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str = "model",
    opset: int = 23,
    *,
    enable_double_precision: bool = False,
    return_mode: Literal["proto", "ir", "file"] = "proto",
    output_path: str | os.PathLike[str] | None = None,
    external_data: bool | str | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    inputs_as_nchw: Sequence[int | str] = (),
    outputs_as_nchw: Sequence[int | str] = (),
    parameters: Mapping[str, ir.TensorProtocol] | None = None,
    constraints: Sequence[str] = (),
    call_sites: bool = False,
    target: str = "cpu",
    prefer: Preference = "speed",
    fold_batch_norm: bool = False,
) -> onnx.ModelProto | ir.Model | str:
    """Converts a JAX callable to an ONNX model that runs on ONNX Runtime.

    Args:
        fn: a function, an Equinox or Flax NNX module, ``(module, variables)`` of Flax Linen, a
            bound method of one of these, or a ``functools.partial`` of any. Arrays in it become
            initializers that bear their path in it (``blocks.3.attn.qkv.weight``).
        inputs: one specification for each positional argument, or a pytree of them: a shape such as
            ``("B", 30)`` (float32, or float64 with ``enable_double_precision``), an
            `InputSpec`, a ``jax.ShapeDtypeStruct`` or an example array. A name is a symbolic
            dimension; the same name is the same dimension everywhere.
        input_params: keyword arguments that become inputs of the graph, with an example of each
            (``{"deterministic": True}``). Where the model needs the value of a boolean while it is
            traced, both are traced and the graph holds an ``If``.
        model_name: name of the graph.
        opset: version of the default operator set.
        enable_double_precision: trace with 64-bit types.
        return_mode: ``"proto"`` for an ``onnx.ModelProto``, ``"ir"`` for an ``onnx_ir.Model``,
            ``"file"`` to write ``output_path`` and return it.
        output_path: the file to write; either whole or absent, never half written.
        external_data: False for a single file that needs no other, as browsers want it; True, or
            the name of a file, for the weights in a safetensors file beside it. By default they are
            in the model if it stays below 2 GiB, where ONNX files end.
        input_names: names of the graph's inputs, in pytree order; by default the arguments' own.
        output_names: names of its outputs; by default ``output``, or ``output_0``, ``output_1``...
        inputs_as_nchw: inputs, by name or index, that are (N, C, H, W) in the graph where ``fn``
            takes (N, H, W, C); ``inputs`` says the latter.
        outputs_as_nchw: likewise for outputs.
        parameters: tensors of abstract parameters (leaves that are ``jax.ShapeDtypeStruct``), by
            path; an ``onnx_ir.ExternalTensor`` stays where it lies.
        constraints: what JAX may assume of symbolic dimensions, such as ``"T <= 512"``.
        call_sites: tell on each node which line of the model it comes from, as metadata
            ``pkg.jax2onnx.call_site`` (``model.py:42:8 (Block.__call__)``).
        target: the runtime whose kernels the model must find; ``"cpu"`` is ONNX Runtime's CPU
            execution provider.
        prefer: ``"readable"`` also puts operators that ONNX Runtime computes more slowly than what
            they stand for, such as Swish and GroupNormalization.
        fold_batch_norm: multiply batch norms into the weights of the convolutions in front of them,
            which are then no longer the model's; ONNX Runtime does so itself when it loads a model.

    Raises:
        InputError: an argument is malformed.
        ModelError: the model cannot be traced.
        SymbolicDimensionError: a dimension cannot be kept symbolic.
        UnsupportedPrimitiveError: lists every primitive that has no lowering.
        WriteError: the file cannot be written.
    """
    if opset not in OPSETS or not isinstance(opset, int):
        raise InputError(f"opset={opset}: choose one of {OPSETS[0]} to {OPSETS[-1]}")
    if return_mode not in ("proto", "ir", "file"):
        raise InputError(f"return_mode={return_mode!r}: choose 'proto', 'ir' or 'file'")
    if prefer not in ("speed", "readable"):
        raise InputError(f"prefer={prefer!r}: choose 'speed' or 'readable'")
    if (return_mode == "file") != (output_path is not None):
        raise InputError("return_mode='file' and output_path= go together")
    if external_data is not None and return_mode != "file":
        raise InputError("external_data= is about files: it needs return_mode='file'")
    # Lowering traces too, where a primitive is decomposed in JAX.
    with jax.enable_x64(enable_double_precision):
        traced = trace(
            fn,
            inputs,
            input_params=input_params,
            input_names=input_names,
            output_names=output_names,
            inputs_as_nchw=inputs_as_nchw or (),
            outputs_as_nchw=outputs_as_nchw or (),
            constraints=constraints,
            double=enable_double_precision,
        )
        model = lower(traced, opset, model_name, parameters, call_sites)
    rewrite(model, prefer=prefer, fold_batch_norm=fold_batch_norm)
    legalise(model, target)
    finalise(model)
    if return_mode == "ir":
        return model
    if output_path is None:
        return to_proto(model)
    save(model, output_path, external_data=external_data)
    return os.fspath(output_path)
