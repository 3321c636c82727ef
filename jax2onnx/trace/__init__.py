"""Trace: a callable and its input specifications become a jaxpr with named parameters."""

from jax2onnx.trace.inputs.specs import Input, InputSpec
from jax2onnx.trace.tracing import Parameter, Traced, trace

__all__ = ["Input", "InputSpec", "Parameter", "Traced", "trace"]
