"""The fourth room: from what JAX means to what the runtime has kernels for.

The kernels of a runtime are a table, made by asking the runtime (`tools/kernels`) and checked in.
`legalise` casts around what the table does not have; `lacking` says of any model what that is.
"""

from jax2onnx.legalise._errors import Lack, UnsupportedTypeError
from jax2onnx.legalise._lacking import lacking
from jax2onnx.legalise._legalise import legalise

__all__ = ["Lack", "UnsupportedTypeError", "lacking", "legalise"]
