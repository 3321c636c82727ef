"""Replace BatchNormalization(Conv(x, w, b)) by a Conv with other weights.

Only on request (``fold_batch_norm=True``): the weights are no longer those of the model. ONNX
Runtime does the same when it loads a model; other runtimes may not.

Does not apply

- to weights that lie in a file, that other nodes read, or that are inputs of a function;
- where other nodes read the convolution's result.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute, made_by, only_user, the_input
from jax2onnx.rewrite.analyses.values import Array, is_held
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a BatchNormalization and the Conv that it reads."""
    conv = made_by(node.inputs[0], "Conv")
    if conv is None or only_user(conv.outputs[0]) is not node:
        return False
    weight, *rest = conv.inputs[1:]
    given = [_stored(v) for v in (weight, *rest, *node.inputs[1:])]
    arrays = [array.astype(np.float64) for array in given if array is not None]
    if weight is None or len(arrays) != len(given) or only_user(weight) is not conv:
        return False
    kernel, *added, scale, bias, mean, variance = arrays
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    bias += (sum(added) - mean) * factor
    kernel *= factor.reshape(-1, *(1 for _ in kernel.shape[1:]))
    out = node.outputs[0]
    assert weight.dtype is not None
    shift = next((v for v in (*rest, node.inputs[2]) if v is not None and only_user(v)), None)
    if shift is None:
        shift = editor.constant(bias, weight.dtype)
    else:
        shift = editor.hold(shift, bias.astype(weight.dtype.numpy()))
    weight = editor.hold(weight, kernel.astype(weight.dtype.numpy()))
    attributes = {name: attribute(conv, name) for name in conv.attributes}
    folded = editor.before(node).Conv(the_input(conv), weight, shift, like=out, **attributes)
    editor.replace(out, folded)
    return True


def _stored(value: ir.Value | None) -> Array | None:
    """Return the array of a parameter or constant in memory, else None."""
    if value is None or value.const_value is None or not is_held(value):
        return None
    return value.const_value.numpy()
