"""The fourth room: from what JAX means to what the runtime has kernels for.

The kernels of a runtime are a table, made by asking the runtime (`generate.py`) and checked in.
`legalise` casts around what the table does not have.
"""

from jax2onnx.legalise._errors import UnsupportedTypeError
from jax2onnx.legalise._legalise import legalise

__all__ = ["UnsupportedTypeError", "legalise"]
