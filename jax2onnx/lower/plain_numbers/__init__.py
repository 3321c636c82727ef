"""Rules on what holds complex numbers and random keys; importing them fills the table."""

from __future__ import annotations

from jax2onnx.lower.plain_numbers import complex_numbers, control_flow, keys, scatter, structure

__all__ = ["complex_numbers", "control_flow", "keys", "scatter", "structure"]
