"""The fourth room: from what JAX means to what the runtime has kernels for.

The kernels of a runtime are a table, made by asking the runtime (`tools/kernels`) and checked in.
`legalise` casts around what the table does not have; `lacking` says of any model what that is.
"""

from jax2onnx.legalise.casts import legalise
from jax2onnx.legalise.lacking import lacking
from jax2onnx.legalise.refusals import Lack

__all__ = ["Lack", "lacking", "legalise"]
