"""The path of a leaf in a pytree, spelled as the user would: ``blocks.3.attn.qkv.weight``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jax import tree_util

_HOLDERS = frozenset(("__self__", "_fun"))
"""What Equinox's bound methods and transformed functions call the module that they hold."""


_SPECIAL = (("equinox.nn", "State"), ("flax.nnx", "Variable"), ("flax.core.meta", "AxisMetadata"))
"""What holds arrays by keys that no user writes: modules and the names of classes in them."""


def flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], tree_util.PyTreeDef]:
    """As JAX's, with the paths that users write.

    What an Equinox ``State`` holds lies under the path of the layer that it is of; the ``value`` of
    a Flax variable, or of a box with metadata around it, lies under the path of the variable.
    """
    flat, treedef = tree_util.tree_flatten_with_path(tree, is_leaf)
    known = ((sys.modules.get(module), name) for module, name in _SPECIAL)
    special = tuple(getattr(module, name) for module, name in known if module)
    outer, _ = tree_util.tree_flatten_with_path(tree, is_leaf=lambda n: isinstance(n, special))
    holders = {path: node for path, node in outer if isinstance(node, special)}
    named = []
    for path, leaf in flat if holders else ():
        at = next((i for i in range(len(path)) if path[:i] in holders), None)
        if at is not None:
            holder = holders[path[:at]]
            layer = (_layer(holder, path[at]),) if _is_equinox(holder) else ()
            path = (*path[:at], *layer, *path[at + 1 :])  # noqa: PLW2901
        named.append((path, leaf))
    return named or flat, treedef


def _is_equinox(node: Any) -> bool:
    return type(node).__module__.startswith("equinox.")


def _layer(state: Any, key: Any) -> Any:
    """The layer and what of it, for the mark ``"Net.blocks[0].norm.batch_counter"``."""
    mark = list(state._state)[key.key]
    return (
        tree_util.GetAttrKey(".".join(re.findall(r"\w+", mark)[1:]))
        if isinstance(mark, str)
        else key
    )


def path_name(path: Sequence[Any]) -> str:
    """Joins the keys of a JAX key path with dots, without steps from a wrapper to what it wraps."""
    return ".".join(step for step in map(_step, path) if step not in _HOLDERS)


def _step(key: Any) -> str:
    match key:
        case tree_util.GetAttrKey():
            return str(key.name)
        case tree_util.DictKey() | tree_util.FlattenedIndexKey():
            return str(key.key)
        case tree_util.SequenceKey():
            return str(key.idx)
    return str(key)
