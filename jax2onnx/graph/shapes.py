"""Reshaping: the operator and the constant operand that give a tensor another shape."""

from collections.abc import Sequence
from typing import Any

VIEWS = frozenset(("Reshape", "Squeeze", "Unsqueeze"))
"""Operators that give the elements another shape and leave their order."""


def reshaping(old: Sequence[Any], new: Sequence[Any]) -> tuple[str, list[int] | None]:
    """Return the operator that reshapes a tensor, and its second input.

    1. Unsqueeze or Squeeze with the axes, if only axes of size 1 come or go.
    2. Reshape with the target shape, if constants can state it (see `constant_target`).
    3. Reshape with None otherwise: the target has to be computed when the model runs.

    Args:
        old: The dimensions of the tensor: integers, and symbolic sizes of one kind.
        new: The dimensions that it shall have, with the same elements.
    """
    if len(new) > len(old) and (added := ones_between(old, new)) is not None:
        return "Unsqueeze", added
    if len(new) < len(old) and (removed := ones_between(new, old)) is not None:
        return "Squeeze", removed
    return "Reshape", constant_target(old, new)


def ones_between(fewer: Sequence[Any], more: Sequence[Any]) -> list[int] | None:
    """Return the axes of ``more`` without which it is ``fewer``; None if not all have size 1."""
    found: list[int] = []
    left = list(fewer)
    for axis in reversed(range(len(more))):
        if left and left[-1] == more[axis]:
            left.pop()
        elif isinstance(more[axis], int) and more[axis] == 1:
            found.insert(0, axis)
        else:
            return None
    return None if left else found


def constant_target(old: Sequence[Any], new: Sequence[Any]) -> list[int] | None:
    """Return ``new`` as the constant target of a Reshape of a tensor with dimensions ``old``.

    A target cannot hold a symbolic size. One such axis is told from the number of elements (-1);
    where there are more, those that stand at the same position in ``old`` are copied (0).

    Returns:
        None where neither suffices, and where a size of 0 would be taken for a copied one.
    """
    symbolic = sum(not isinstance(dim, int) for dim in new)
    if symbolic and any(isinstance(dim, int) and dim == 0 for dim in new):
        return None
    target: list[int] = []
    for axis, dim in enumerate(new):
        if isinstance(dim, int):
            target.append(dim)
        else:
            same = symbolic > 1 and axis < len(old) and old[axis] == dim
            target.append(0 if same else -1)
    return target if target.count(-1) <= 1 else None
