"""The path of a leaf in a pytree, spelled as the user would: ``blocks.3.attn.qkv.weight``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jax import tree_util

_HOLDERS = frozenset(("__self__", "_fun"))
"""What Equinox's bound methods and transformed functions call the module that they hold."""


def flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], tree_util.PyTreeDef]:
    """As JAX's, and what an Equinox ``State`` holds under the path of the layer that it is of."""
    flat, treedef = tree_util.tree_flatten_with_path(tree, is_leaf)
    equinox = sys.modules.get("equinox")
    if equinox is None:
        return flat, treedef
    outer, _ = tree_util.tree_flatten_with_path(
        tree, is_leaf=lambda node: isinstance(node, equinox.nn.State)
    )
    states = {path: node for path, node in outer if isinstance(node, equinox.nn.State)}
    named = []
    for path, leaf in flat:
        for at, state in states.items():
            if path[: len(at)] == at and len(path) > len(at):
                path = (*at, _layer(state, path[len(at)]), *path[len(at) + 1 :])  # noqa: PLW2901
        named.append((path, leaf))
    return named, treedef


def _layer(state: Any, key: Any) -> Any:
    """The layer and what of it, for the mark ``"Net.blocks[0].norm.batch_counter"``."""
    mark = list(state._state)[key.key]
    return (
        tree_util.GetAttrKey(".".join(re.findall(r"\w+", mark)[1:]))
        if isinstance(mark, str)
        else key
    )


def path_name(path: Sequence[Any], *, keep_values: bool = False) -> str:
    """Joins the keys of a JAX key path with dots.

    Flax NNX wraps each array in a variable whose array is called ``value``: that last step is left
    out unless ``keep_values``. So are the steps from a wrapper to what it wraps.
    """
    steps = [step for step in map(_step, path) if step not in _HOLDERS]
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
