"""The fourth room: element types that the runtime has kernels for.

The kernels of a runtime are a table, which ``tools/kernels`` generates from the installed runtime.
``legalise`` inserts casts around nodes that the runtime has no kernel for, and ``missing_kernels``
lists such nodes of any model.
"""

from jax2onnx.legalise.casts import legalise
from jax2onnx.legalise.missing import missing_kernels
from jax2onnx.legalise.unsupported import MissingKernel
from jax2onnx.legalise.widening import widen_bfloat16

__all__ = ["MissingKernel", "legalise", "missing_kernels", "widen_bfloat16"]
