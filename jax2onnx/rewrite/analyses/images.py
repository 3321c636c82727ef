"""Operators on images, which take channels first where JAX has them last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from jax2onnx.graph.sizes import Dims
from jax2onnx.rewrite.analyses.nodes import BROADCASTING, UNARY, made_by
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, permutation, rank
from jax2onnx.rewrite.engine.editor import Editor, Operators


@dataclass(frozen=True)
class _Windows:
    """Windows along some axes of a tensor, as ``reduce_window`` describes them by its params.

    There are windows along the axes ``moved``; the ``others`` become batch and channels.
    """

    moved: list[int]
    others: list[int]
    params: Mapping[str, Any]

    def along(self, name: str) -> list[Any]:
        """Return a param of the windows for each axis along which there are windows."""
        return [self.params[name][axis] for axis in self.moved]

    @property
    def pads(self) -> list[Any]:
        """The padding, first at the start of each axis, then at the end."""
        padding = self.along("padding")
        return [amounts[side] for side in (0, 1) for amounts in padding]

    @property
    def in_padding(self) -> bool:
        """Whether a window may lie wholly in the padding, or an axis is cut."""
        sizes = self.along("window_dimensions") * 2
        return not all(
            isinstance(n, int) and 0 <= n < size for n, size in zip(self.pads, sizes, strict=True)
        )


def _windows(x: ir.Value, params: Mapping[str, Any]) -> _Windows | None:
    """Return the windows; None if they lie on too many axes, or on a dilated operand."""
    kinds = zip(
        params["window_dimensions"], params["window_strides"], params["padding"], strict=True
    )
    moved = [axis for axis, kind in enumerate(kinds) if kind != (1, 1, (0, 0))]
    others = [axis for axis in range(rank(x)) if axis not in moved]
    for axis in [a for a in others if dims(x)[a] == 1][: max(len(others) - 2, 0)]:
        others.remove(axis)
    if not 1 <= len(moved) <= 3 or len(others) > 2 or set(params["base_dilation"]) != {1}:
        return None
    return _Windows(moved, others, params)


def pool(
    editor: Editor,
    place: ir.Node,
    op_type: str,
    x: ir.Value,
    like: ir.Value,
    params: Mapping[str, Any],
    **attributes: Any,
) -> ir.Value | None:
    """Return the result of a pooling operator, with axes permuted around it as it needs them.

    Args:
        editor: The editor of the graph.
        place: The node in front of which nodes are added.
        op_type: ``MaxPool`` or ``AveragePool``.
        x: The operand.
        like: A value of the result's dtype and shape.
        params: The params of the ``reduce_window``.
        attributes: Further attributes of the operator.

    Returns:
        None where the operator has no such windows: they lie on no axis or on more than three,
        beside more than two others, on a dilated operand, or perhaps wholly in the padding.
    """
    windows = _windows(x, params)
    if windows is None or windows.in_padding or 0 in dims(like):
        return None
    order = [*windows.others, *windows.moved]
    present = sorted(order)
    perm = [present.index(a) for a in order]
    lead = (1,) * (2 - len(windows.others))
    x = view(editor, place, x, tuple(dims(x)[a] for a in present))
    op = editor.before(place)
    if perm != sorted(perm):
        x = op.Transpose(x, perm=perm, shape=tuple(dims(x)[a] for a in perm))
    x = view(editor, place, x, (*lead, *dims(x)))
    shape = tuple(dims(like)[a] for a in order)
    dilations = windows.along("window_dilation")
    x = op(
        op_type,
        x,
        kernel_shape=windows.along("window_dimensions"),
        strides=windows.along("window_strides"),
        pads=windows.pads if any(windows.pads) else None,
        dilations=dilations if set(dilations) != {1} else None,
        shape=(*lead, *shape),
        **attributes,
    )
    x = view(editor, place, x, shape)
    if perm != sorted(perm):
        back = [order.index(a) for a in present]
        x = op.Transpose(x, perm=back, shape=tuple(dims(like)[a] for a in present))
    return view(editor, place, x, dims(like))


def was_first(x: ir.Value) -> bool:
    """Return whether ``x``, ignoring elementwise operators, is an image moved to channels last."""
    while (node := made_by(x, *UNARY, *BROADCASTING)) is not None:
        alike = [v for v in node.inputs if v is not None and dims(v) == dims(x)]
        if not alike:
            return False
        x = alike[0]
    return permutation(x) == (0, 2, 3, 1)


def channels_first(
    op: Operators, x: ir.Value, like: ir.Value, build: Callable[[ir.Value, Dims], ir.Value]
) -> ir.Value:
    """Return the result of an operator on images, with the channels moved first around it.

    Args:
        op: The operators.
        x: The images, (batch, height, width, channels).
        like: A value of the result's dtype and shape, channels last.
        build: Is given the images and the shape of the result, both with channels first.
    """
    n, h, w, c = dims(x)
    x = op.Transpose(x, perm=[0, 3, 1, 2], shape=(n, c, h, w))
    n, h, w, c = dims(like)
    return op.Transpose(build(x, (n, c, h, w)), perm=[0, 2, 3, 1], like=like)
