"""Replace Transpose(parameter) or a reversed parameter by a parameter that is stored so.

JAX has the kernels of convolutions as (height, width, in, out). Conv needs (out, in, height,
width), and ConvTranspose (in, out, height, width) with the last two axes reversed.

Does not apply

- to parameters that lie in a file, which stay as they are;
- inside functions, whose weights are inputs;
- to parameters that other nodes read, and to the matrices that Gemm transposes itself.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import only_user, the_input
from jax2onnx.rewrite.analyses.values import integers, is_held, permutation
from jax2onnx.rewrite.engine.editor import Editor

_FIRST = np.iinfo(np.int64).min


def apply(editor: Editor, node: ir.Node) -> bool:
    """Store the parameter that a Transpose or a Slice reads in its order."""
    value, perm = the_input(node), permutation(node.outputs[0])
    tensor = value.const_value
    if not is_held(value) or tensor is None or only_user(value) is not node:
        return False
    if perm is not None:
        array = tensor.numpy().transpose(perm)
    else:
        if len(node.inputs) != 5:
            return False
        starts, ends, axes, steps = map(integers, node.inputs[1:])
        if not axes or {*(starts or ()), *(steps or ())} != {-1} or {*(ends or ())} != {_FIRST}:
            return False
        array = np.flip(tensor.numpy(), axes)
    editor.replace(node.outputs[0], editor.hold(value, array))
    return True
