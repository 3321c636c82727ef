"""Store a parameter in the shape and order in which the graph reads it.

JAX has the kernels of convolutions as (height, width, in, out). Conv needs (out, in, height,
width), and ConvTranspose (in, out, height, width) with the last two axes reversed. Haiku has the
vectors of its norms as (1, 1, 1, channels), and attention layers have their matrices with an axis
of heads. A Transpose, a view or a reversal of a parameter is done in the file, where the parameter
keeps its name. A Cast between the two stays.

Does not apply

- to parameters that lie in a file, which stay as they are;
- inside functions, whose weights are inputs;
- to parameters that are read in several forms, as each is stored once, and to the matrices that
  Gemm transposes itself.
"""

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import small_constant
from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import known
from jax2onnx.rewrite.analyses.nodes import made_by, maker, only_user, the_input, users
from jax2onnx.rewrite.analyses.values import Array, dims, integers, is_held, permutation
from jax2onnx.rewrite.engine.editor import Editor

_FIRST = np.iinfo(np.int64).min


def apply(editor: Editor, node: ir.Node) -> bool:
    """Store the parameter that a Transpose, a view or a Slice reads as they leave it."""
    form, value, casts = _form(node), the_input(node), []
    while (cast := made_by(value, "Cast")) is not None and only_user(value) is not None:
        casts.append(value)
        value = the_input(cast)
    tensor = value.const_value
    if form is None or tensor is None or not is_held(value) or value.is_graph_output():
        return False
    alike = [node] if casts else [u for u in users(value) if _form(u) == form]
    if len(alike) != len(value.uses()) and (casts or small_constant(value) is None):
        return False
    stored = editor.hold(value, _in_form(tensor.numpy(), form))
    if casts:
        maker(casts[-1]).replace_input_with(0, stored)  # a constant becomes another value
    for each in casts:
        each.shape = stored.shape
    for reader in alike:
        editor.replace(reader.outputs[0], casts[0] if casts else stored)
    return True


def _form(node: ir.Node) -> tuple[str, tuple[int, ...]] | None:
    """Return the permutation, shape or reversed axes by which ``node`` rearranges all elements."""
    if node.domain != "":
        return None
    if node.op_type in VIEWS:
        shape = known(dims(node.outputs[0]))
        return None if shape is None else ("shape", shape)
    if node.op_type == "Transpose":
        perm = permutation(node.outputs[0])
        return None if perm is None else ("order", perm)
    if node.op_type != "Slice" or len(node.inputs) != 5:
        return None
    starts, ends, axes, steps = map(integers, node.inputs[1:])
    if not axes or {*(starts or ()), *(steps or ())} != {-1} or {*(ends or ())} != {_FIRST}:
        return None
    return "reversed", axes


def _in_form(array: Array, form: tuple[str, tuple[int, ...]]) -> Array:
    kind, numbers = form
    if kind == "shape":
        return array.reshape(numbers)
    return array.transpose(numbers) if kind == "order" else np.asarray(np.flip(array, numbers))
