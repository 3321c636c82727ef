"""Cut a value up before it is reshaped and permuted, instead of afterwards.

``x.reshape(b, t, 3, h, d).transpose(2, 0, 3, 1, 4)`` is cut into queries, keys and values. It
becomes a Split of x, each part of which is reshaped and permuted by itself: Attention needs neither
of the two. The cuts are a Split, or Gathers that together take each index of an axis once.

Does not apply

- where another factor of an axis of x varies more slowly than the one that is cut, such as the h in
  ``x.reshape(b, t, h, 3, d)``;
- where other operators than views and Transpose read the parts of a Split, as more nodes than
  before would be needed;
- where other nodes read the values in between.
"""

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS, constant_target
from jax2onnx.graph.sizes import product
from jax2onnx.rewrite.analyses.factors import Labelled, flattened, fresh
from jax2onnx.rewrite.analyses.nodes import attribute, only_user, the_input, users
from jax2onnx.rewrite.analyses.values import constant, dims, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Cut the value that was reshaped or permuted to the operand of ``node``."""
    x = the_input(node)
    if rank(x) == 0 or 0 in dims(x):
        return False
    axis = attribute(node, "axis", 0) % rank(x)
    parts = _split(node) if node.op_type == "Split" else _gathered(node, axis)
    found = Labelled(x, tuple(map(fresh, dims(x))))
    source = _source(found, axis) if len(parts) > 1 else None
    if source is None:
        return False
    whole, place = source
    own = list(whole.axes)
    sizes = [dims(part)[axis] if node.op_type == "Split" else 1 for part in parts]
    inner = [factor.size for factor in own[place][1:]]
    shapes = [list(dims(whole.value)) for _ in parts]
    for shape, size in zip(shapes, sizes, strict=True):
        shape[place] = product((size, *inner))
    lengths = [shape[place] for shape in shapes]
    stated = all(isinstance(d, int) for d in lengths) and all(
        constant_target(shape, [f.size for f in flattened(own)]) for shape in shapes
    )
    if not stated:
        return False
    new = editor.before(node).several(
        "Split", whole.value, lengths, axis=place, shapes=[tuple(shape) for shape in shapes]
    )
    turned = []
    for part, piece, size in zip(parts, new, sizes, strict=True):
        first = fresh(size)
        given = (*own[:place], (*first, *own[place][1:]), *own[place + 1 :])
        wanted = list(found.axes)
        wanted[axis : axis + 1] = [first] if rank(part) == rank(x) else []
        turned.append(Labelled(piece, given).arranged(editor, node, wanted, dims(part)))
    for part, value in zip(parts, turned, strict=True):
        editor.replace(part, value)
    return True


def _split(node: ir.Node) -> list[ir.Value]:
    """Return the parts of a Split, if views and permutations alone read them."""
    readers = [u for part in node.outputs for u in users(part)]
    alone = not any(part.is_graph_output() for part in node.outputs)
    views = all(u.op_type in (*VIEWS, "Transpose") and u.domain == "" for u in readers)
    return list(node.outputs) if alone and views and only_user(the_input(node)) else []


def _gathered(node: ir.Node, axis: int) -> list[ir.Value]:
    """Return the values at the indices of an axis, if Gathers alone read each of them once."""
    x = the_input(node)
    size, taken = dims(x)[axis], dict[int, ir.Value]()
    readers = list(users(x))
    for reader in readers:
        index = constant(reader.inputs[1]) if reader.op_type == "Gather" else None
        if index is None or index.ndim or reader.graph is not node.graph:
            return []
        if attribute(reader, "axis", 0) % rank(x) != axis or not isinstance(size, int):
            return []
        taken[int(index) % size] = reader.outputs[0]
    whole = len(readers) == len(taken) == size and not x.is_graph_output()
    return [taken[i] for i in sorted(taken)] if whole else []


def _source(found: Labelled, axis: int) -> tuple[Labelled, int] | None:
    """Return the farthest value that can be cut instead, and the axis along which."""
    if not found.given[axis]:
        return None
    (factor,) = found.given[axis]
    best, step = None, found.source()
    while step is not None:
        places = [i for i, own in enumerate(step.axes) if own and own[0] is factor]
        best = (step, places[0]) if places else best
        step = step.source() if only_user(step.value) is not None else None
    return best
