"""Imports a converter and converts a one-operation function. Both converters take the same call."""

import jax.numpy as jnp

from jax2onnx import to_onnx

to_onnx(jnp.sin, [("B", 3)])
