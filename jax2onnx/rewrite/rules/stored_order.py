"""A parameter that is only read permuted is stored so.

Convolutions of JAX have their kernels as (height, width, in, out), Conv wants (out, in, height,
width).

Does not apply

- to what lies in a file: it stays there as it is;
- inside functions, whose weights are inputs;
- to parameters that are read in another order too, and to the matrices that Gemm transposes itself.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.values import only_user, permutation, the_input


def apply(editor: Editor, node: ir.Node) -> bool:
    """Takes the parameter that a Transpose reads in its order."""
    value, perm = the_input(node), permutation(node.outputs[0])
    tensor = value.const_value
    if type(tensor) is not ir.Tensor or perm is None or only_user(value) is not node:
        return False
    array = tensor.numpy().transpose(perm)
    value.const_value = ir.Tensor(array, dtype=tensor.dtype, name=tensor.name)
    value.shape = node.outputs[0].shape
    editor.replace(node.outputs[0], value)
    return True
