"""Carry Transposes through the operators between them, where fewer are left then.

Convolutions need channels first, and libraries keep them last: there is a Transpose behind each
convolution, and another one in front of the next. The operators between them that can compute in
any order of axes are a region: elementwise operators, concatenations, slices, padding, reductions,
and views that keep permuted axes together. A region is computed in another order as a whole if that
leaves fewer Transposes: those at its border that meet their inverse disappear, and those that its
operands and its readers then need are added.

Does not apply

- to a region that has as many Transposes in any order: it stays as the model has it;
- to operators with a fixed order of axes (convolutions, matrix products, functions), where regions
  end.

Transposes of constants and parameters do not count: they are computed once.
"""

from collections.abc import Sequence

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.graph.sizes import Dims
from jax2onnx.rewrite.analyses.axes import (
    Layout,
    Layouts,
    is_fixed,
    moves,
    operands,
    permuted,
    rearrange,
    spread,
)
from jax2onnx.rewrite.analyses.nodes import maker, the_input, users
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import aligned, constant, dims, permutation, rank
from jax2onnx.rewrite.engine.editor import Editor


def apply(editor: Editor, node: ir.Node) -> bool:
    """Carry a Transpose through the region behind it, or the one in front of it."""
    x, out = the_input(node), node.outputs[0]
    perm = permutation(out)
    assert perm is not None
    assert node.graph is not None
    if not _is_costly(node):
        return False
    undone = tuple(perm.index(a) for a in range(len(perm)))
    for value, layout in ((out, undone), (x, perm)):
        if (value, layout) in editor.tried:
            continue
        region = _Region(node.graph)
        if region.grow(value, layout) and region.saved() > 0:
            region.change(editor)
            return True
        editor.tried |= region.layouts.items()
    return False


class _Region:
    """Values that are connected by operators (members) that can compute in any order of axes."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self.layouts: Layouts = {}
        self.members: dict[ir.Node, None] = {}

    def grow(self, value: ir.Value, layout: Layout) -> bool:
        """Add all that ``value`` is connected with; return False if a value needs two layouts."""
        pending = [(value, layout)]
        while pending:
            value, layout = pending.pop()
            if value in self.layouts:
                if self.layouts[value] != layout:
                    return False
                continue
            if is_fixed(value):
                continue
            self.layouts[value] = layout
            if layout == _in_order(layout):
                continue
            for node in (value.producer(), *users(value)):
                if node is None or node in self.members or node.graph is not self._graph:
                    continue
                found = spread(node, value, layout)
                if found is not None:
                    self.members[node] = None
                    pending += found.items()
        return True

    def saved(self) -> int:
        """Return how many Transposes fewer there are with these layouts."""
        short = (v for n in self.members for _, v in operands(n) if _is_short(n, v))
        if any(self.layouts.get(v, ()) not in ((), _in_order(range(rank(v)))) for v in short):
            return 0
        total = 0
        for value, layout in self.layouts.items():
            transposes, others = self._outside(value)
            if value.producer() in self.members:
                total += sum(_is_costly(t) and not self._moves_on(value, t) for t in transposes)
                total -= others and moves(dims(value), layout)
                continue
            source, order = self._source(value)
            if source.producer() in self.members:  # in another order by then
                return 0
            if source is not value:
                total += _is_costly(value.producer())
                total -= (others or bool(transposes)) and moves(dims(value), layout)
            total -= moves(dims(source), order) and not is_fixed(source)
        return total

    def _source(self, value: ir.Value) -> tuple[ir.Value, Layout]:
        """Return an operand of the region before it was permuted, and the order it needs."""
        perm, layout = permutation(value), self.layouts[value]
        if perm is None:
            return value, layout
        return the_input(maker(value)), tuple(perm[a] for a in layout)

    def _outside(self, value: ir.Value) -> tuple[list[ir.Node], bool]:
        """Return the Transposes that read ``value``, and whether other nodes outside read it."""
        readers = [u for u in users(value) if u not in self.members]
        transposes = [u for u in readers if u.graph is self._graph and u.op_type == "Transpose"]
        return transposes, len(readers) > len(transposes) or value.is_graph_output()

    def _moves_on(self, value: ir.Value, transpose: ir.Node) -> bool:
        """Return whether a Transpose of ``value`` has work to do once that has its layout."""
        layout, perm = self.layouts[value], permutation(transpose.outputs[0])
        assert perm is not None
        return moves(permuted(dims(value), layout), [layout.index(a) for a in perm])

    def change(self, editor: Editor) -> None:
        """Make the members compute in these layouts."""
        entered = {
            value: self._enter(editor, value)
            for value in self.layouts
            if value.producer() not in self.members
        }
        for node in self.members:
            rearrange(editor, node, self.layouts)
            for index, value in operands(node):
                if value in entered and not _is_short(node, value):
                    node.replace_input_with(index, entered[value])
                elif value not in self.layouts or _is_short(node, value):
                    beside = _beside(editor, node, value, self.layouts[node.outputs[0]])
                    node.replace_input_with(index, beside)
        for value, layout in self.layouts.items():
            if value not in entered:
                self._leave(editor, value, layout)
                value.shape = ir.Shape(permuted(dims(value), layout))
        for value in entered:
            if (made := value.producer()) is not None:
                editor.erase(made)

    def _enter(self, editor: Editor, value: ir.Value) -> ir.Value:
        """Return what members read instead of a value that comes from outside."""
        source, order = self._source(value)
        if order == _in_order(order):
            return source
        op = editor.behind(value.producer(), self._graph)
        return op.Transpose(source, perm=order, shape=permuted(dims(source), order))

    def _leave(self, editor: Editor, value: ir.Value, layout: Layout) -> None:
        """Let the nodes outside read the value in the order that they had."""
        transposes, others = self._outside(value)
        for node in transposes:
            perm = permutation(node.outputs[0])
            assert perm is not None
            node.attributes["perm"] = ir.AttrInt64s("perm", [layout.index(a) for a in perm])
        made = value.producer()
        undone = tuple(layout.index(a) for a in range(len(layout)))
        if made is None or layout == _in_order(layout):
            return
        name, value.name = value.name, made.name
        if not others:
            return
        back = editor.behind(made, self._graph).Transpose(value, perm=undone, like=value)
        back.name = name
        for node, index in tuple(value.uses()):
            if node not in self.members and node not in transposes and node is not back.producer():
                node.replace_input_with(index, back)
        if value.is_graph_output():
            outputs = self._graph.outputs
            outputs[outputs.index(value)] = back


def _is_short(node: ir.Node, value: ir.Value) -> bool:
    """Return whether an operand is broadcast along axes that it does not have."""
    return node.op_type not in VIEWS and rank(value) < rank(node.outputs[0])


def _in_order(layout: Sequence[int]) -> Layout:
    return tuple(range(len(layout)))


def _is_costly(transpose: ir.Node | None) -> bool:
    """Return whether a Transpose has work to do when the model runs."""
    assert transpose is not None
    source, perm = the_input(transpose), permutation(transpose.outputs[0])
    return perm is not None and moves(dims(source), perm) and not is_fixed(source)


def _beside(editor: Editor, node: ir.Node, value: ir.Value, layout: Layout) -> ir.Value:
    """Return an operand that costs nothing to permute, to be broadcast beside this layout."""
    shape = aligned(value, len(layout))
    array = constant(value)
    if array is not None:
        array = array.reshape((1,) * (len(layout) - array.ndim) + array.shape).transpose(layout)
        return editor.constant(array.reshape(_short(array.shape, rank(value))))
    if moves(shape, layout):
        value = view(editor, node, value, shape)
        return editor.before(node).Transpose(value, perm=layout, shape=permuted(shape, layout))
    return view(editor, node, value, _short(permuted(shape, layout), rank(value)))


def _short(shape: Dims, least: int) -> Dims:
    """Return ``shape`` without leading axes of size 1, down to ``least`` axes."""
    while len(shape) > least and shape[0] == 1:
        shape = shape[1:]
    return shape
