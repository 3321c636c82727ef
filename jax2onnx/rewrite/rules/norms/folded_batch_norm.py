"""Replace BatchNormalization(Conv(x, w, b)) by a Conv with other weights, and Gemm likewise.

Only on request (``fold_batch_norm=True``): the weights are no longer those of the model. ONNX
Runtime does the same when it loads a model; other runtimes may not.

Does not apply

- to weights that lie in a file, that other nodes read, or that are inputs of a function;
- where other nodes read the result of the Conv or Gemm.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, made_by, only_user, the_input
from jax2onnx.rewrite.analyses.values import Array, is_held
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a BatchNormalization and the Conv or Gemm that it reads."""
    product = made_by(node.inputs[0], "Conv") or made_by(node.inputs[0], "Gemm")
    if product is None or only_user(product.outputs[0]) is not node:
        return False
    weight, *rest = product.inputs[1:]
    given = [_stored(v) for v in (weight, *rest, *node.inputs[1:])]
    arrays = [array.astype(np.float64) for array in given if array is not None]
    if weight is None or len(arrays) != len(given) or only_user(weight) is not product:
        return False
    kernel, *added, scale, bias, mean, variance = arrays
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    bias += (sum(added) - mean) * factor
    columns = product.op_type == "Gemm" and not attribute(product, "transB", 0)
    kernel *= factor if columns else factor.reshape(-1, *(1 for _ in kernel.shape[1:]))
    out = node.outputs[0]
    assert weight.dtype is not None
    shift = next((v for v in (*rest, node.inputs[2]) if v is not None and only_user(v)), None)
    if shift is None:
        shift = editor.constant(bias, weight.dtype)
    else:
        shift = editor.hold(shift, bias.astype(weight.dtype.numpy()))
    weight = editor.hold(weight, kernel.astype(weight.dtype.numpy()))
    attributes = {name: attribute(product, name) for name in product.attributes}
    make = getattr(editor.before(node), product.op_type)
    editor.replace(out, make(the_input(product), weight, shift, like=out, **attributes))
    return True


def _stored(value: ir.Value | None) -> Array | None:
    """Return the array of a parameter or constant in memory, else None."""
    if value is None or value.const_value is None or not is_held(value):
        return None
    return value.const_value.numpy()
