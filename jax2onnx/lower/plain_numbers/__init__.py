"""Complex numbers and random keys, on arrays that ONNX has; importing this fills the rules."""

from jax2onnx.lower.plain_numbers import complex_numbers, control_flow, keys, scatter, structure

__all__ = ["complex_numbers", "control_flow", "keys", "scatter", "structure"]
