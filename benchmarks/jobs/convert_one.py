"""Import a converter and convert a one-operation function; both converters take this call."""

import jax.numpy as jnp

from jax2onnx import to_onnx

to_onnx(jnp.sin, [("B", 3)])
