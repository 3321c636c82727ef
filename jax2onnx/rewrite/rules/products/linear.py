"""Replace MatMul(x, Transpose(w)) and Add(MatMul(x, w), bias) by Gemm, or leave MatMul and Add.

Linear layers mostly store their weights as (out, in), so that x w^T is a Transpose and a MatMul.
ONNX Runtime computes Gemm(transB=1) from the matrix as it lies in the file; it would fold the
Transpose when it loads the model, into a copy of every weight. A tensor of more axes is seen as a
matrix of its last axis by two views, which copy nothing.

Weight-only quantisers look for MatMul. A graph that multiplies tensors of more than two axes, as
transformers do, has MatMul and Add for every dense layer whose weight can be stored as (in, out);
ONNX Runtime fuses them when it loads the model. A graph that multiplies matrices alone, such as a
perceptron or a classifier of images, has Gemm.

Applies

- to MatMul(x, Transpose(w)), with the bias that is added to it, if any;
- to MatMul(x, w) + bias where x is a matrix.

Does not apply

- to integers, for which there is no Gemm;
- to the bias of a product that other nodes read before the addition: the Gemm has none then;
- to a matrix of symbolic inner size;
- to a parameter in a graph with products of more axes, if it is (in, out) or can be stored so. A
  weight that lies in a file, or that other nodes read too, cannot.
"""

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.walk import nested_nodes
from jax2onnx.rewrite.analyses.nodes import maker, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import (
    dims,
    flat,
    is_float,
    is_held,
    permutation,
    rank,
    without_ones,
)
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a MatMul, and the addition of a bias that follows."""
    x, matrix, out = the_input(node), the_input(node, 1), node.outputs[0]
    if rank(matrix) != 2 or rank(x) < 2 or not is_float(out):
        return False
    transposed = permutation(matrix) == (1, 0)
    bias = _bias(out)
    if not transposed and (rank(x) != 2 or bias is None):
        return False
    if not isinstance(dims(x)[-1], int):
        return False
    weight = the_input(maker(matrix)) if transposed else matrix
    if _is_storable(weight, matrix) and editor.once(_multiplies_tensors):
        return False
    root, vector = (node, None) if bias is None else bias
    result, left = root.outputs[0], x
    if rank(x) != 2:  # one view serves all products that read x
        left = editor.shared(("matrix", x, node.graph), lambda: view(editor, node, x, flat(x)))
    product = editor.before(root).Gemm(
        left, weight, vector, transB=int(transposed) or None, shape=flat(out)
    )
    if dims(product) != dims(result):
        product = view(editor, root, product, dims(result), sizes=x)
    editor.replace(result, product)
    return True


def _is_storable(weight: ir.Value, matrix: ir.Value) -> bool:
    """Return whether ``matrix``, which is ``weight`` or its transpose, can be an initializer."""
    if not weight.is_initializer():
        return False
    return weight is matrix or (is_held(weight) and only_user(weight) is maker(matrix))


def _multiplies_tensors(body: ir.Graph) -> bool:
    """Return whether a graph multiplies tensors of more than two axes."""
    return any(
        node.op_type == "Attention" or (node.op_type == "MatMul" and rank(node.outputs[0]) > 2)
        for node in nested_nodes(body)
    )


def _bias(product: ir.Value) -> tuple[ir.Node, ir.Value] | None:
    """Return the addition of a vector to ``product``, and the vector, if nothing else reads it."""
    value, user = product, only_user(product)
    while user is not None and user.op_type in VIEWS:
        value = user.outputs[0]
        if without_ones(value) is not without_ones(product) or not rank(value):
            return None
        user = only_user(value)
    if user is None or user.op_type != "Add" or user.domain != "":
        return None
    other = the_input(user, 1 if user.inputs[0] is value else 0)
    vector = without_ones(other)
    columns = dims(product)[-1]
    if dims(vector) != (columns,) or dims(user.outputs[0]) != dims(value):
        return None
    if dims(value)[-1] != columns or dims(other)[-1] != columns:
        return None
    return user, vector
