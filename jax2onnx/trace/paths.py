"""The path of a leaf in a pytree, spelled as the user would: ``blocks.3.attn.qkv.weight``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax import tree_util


def path_name(path: Sequence[Any], *, keep_values: bool = False) -> str:
    """Joins the keys of a JAX key path with dots.

    Flax NNX wraps each array in a variable whose array is called ``value``: that last step is left
    out unless ``keep_values``. A bound method of an Equinox module holds it as ``__self__``.
    """
    steps = [step for step in map(_step, path) if step != "__self__"]
    if not keep_values and len(steps) > 1 and steps[-1] == "value":
        steps.pop()
    return ".".join(steps)


def _step(key: Any) -> str:
    match key:
        case tree_util.GetAttrKey():
            return str(key.name)
        case tree_util.DictKey() | tree_util.FlattenedIndexKey():
            return str(key.key)
        case tree_util.SequenceKey():
            return str(key.idx)
    return str(key)
