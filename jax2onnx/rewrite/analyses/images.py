"""What operators on images have in common: channels come first, where JAX has them last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx_ir as ir

from jax2onnx.graph.sizes import Dims
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import (
    BROADCASTING,
    UNARY,
    dims,
    made_by,
    permutation,
    rank,
)
from jax2onnx.rewrite.engine.editor import Editor, Operators


def pool(
    editor: Editor,
    place: ir.Node,
    op_type: str,
    x: ir.Value,
    like: ir.Value,
    params: Mapping[str, Any],
    **attributes: Any,
) -> ir.Value | None:
    """The operator on the windows that the params of a ``reduce_window`` describe.

    None where it has no such windows: they lie on no axis or on more than three, beside more than
    two others, on a dilated operand, or perhaps wholly in the padding.
    """
    window, strides, padding, dilation = (
        params[name]
        for name in ("window_dimensions", "window_strides", "padding", "window_dilation")
    )
    kinds = zip(window, strides, padding, strict=True)
    moved = [axis for axis, kind in enumerate(kinds) if kind != (1, 1, (0, 0))]
    others = [axis for axis in range(rank(x)) if axis not in moved]
    for axis in [a for a in others if dims(x)[a] == 1][: max(len(others) - 2, 0)]:
        others.remove(axis)
    if not 1 <= len(moved) <= 3 or len(others) > 2 or set(params["base_dilation"]) != {1}:
        return None
    amounts = [
        (n, window[axis]) for side in (0, 1) for axis in moved for n in [padding[axis][side]]
    ]
    if not all(isinstance(n, int) and 0 <= n < size for n, size in amounts) or 0 in dims(like):
        return None
    pads = [n for n, _ in amounts]
    order = [*others, *moved]
    lead = (1,) * (2 - len(others))
    present = sorted(order)
    perm = [present.index(a) for a in order]
    x = view(editor, place, x, tuple(dims(x)[a] for a in present))
    op = editor.before(place)
    if perm != sorted(perm):
        x = op.Transpose(x, perm=perm, shape=tuple(dims(x)[a] for a in perm))
    x = view(editor, place, x, (*lead, *dims(x)))
    shape = tuple(dims(like)[a] for a in order)
    x = getattr(op, op_type)(
        x,
        kernel_shape=[window[a] for a in moved],
        strides=[strides[a] for a in moved],
        pads=pads if any(pads) else None,
        dilations=[dilation[a] for a in moved] if {dilation[a] for a in moved} != {1} else None,
        shape=(*lead, *shape),
        **attributes,
    )
    x = view(editor, place, x, shape)
    if perm != sorted(perm):
        x = op.Transpose(
            x, perm=[order.index(a) for a in present], shape=tuple(dims(like)[a] for a in present)
        )
    return view(editor, place, x, dims(like))


def was_first(x: ir.Value) -> bool:
    """Whether x had its channels first, but for what is computed element by element."""
    node = made_by(x, *UNARY, *BROADCASTING)
    while node is not None:
        shape = dims(x)
        x = next((v for v in node.inputs if v is not None and dims(v) == shape), x)
        node = made_by(x, *UNARY, *BROADCASTING) if x is not node.outputs[0] else None
    return permutation(x) == (0, 2, 3, 1)


def channels_first(
    op: Operators, x: ir.Value, like: ir.Value, build: Callable[[ir.Value, Dims], ir.Value]
) -> ir.Value:
    """What ``build`` makes, for the shape of ``like``, of images whose channels are last."""
    n, h, w, c = dims(x)
    x = op.Transpose(x, perm=[0, 3, 1, 2], shape=(n, c, h, w))
    n, h, w, c = dims(like)
    return op.Transpose(build(x, (n, c, h, w)), perm=[0, 2, 3, 1], like=like)  # type: ignore[no-any-return]
