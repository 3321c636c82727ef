"""The test of a whole conversion: as that of a lowering, with every rewrite rule."""

import functools

from jax2onnx.api import to_onnx
from jax2onnx.testing import agreement

assert_agrees = functools.partial(agreement.assert_agrees, convert=to_onnx)
"""``agreement.assert_agrees`` of what ``to_onnx`` makes."""
