"""Spell the path of a leaf in a pytree as a user would: ``blocks.3.attn.qkv.weight``."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jax import tree_util

_HOLDERS = frozenset(("__self__", "_fun"))
"""Attributes of Equinox's bound methods and transformed functions that hold the module."""

_SPECIAL = (("equinox.nn", "State"), ("flax.nnx", "Variable"), ("flax.core.meta", "AxisMetadata"))
"""Classes, by module and name, that hold arrays under keys that no user writes."""


class OwnName(str):
    """The name that a variable bears itself (Keras's ``path``), wherever the model holds it."""

    __slots__ = ()


def flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], tree_util.PyTreeDef]:
    """Flatten a pytree as JAX does, with the paths that users write.

    An array in an Equinox ``State`` gets the path of its layer. The ``value`` of a Flax variable,
    or of a box with metadata around it, gets the path of the variable.

    Args:
        tree: the pytree.
        is_leaf: whether a node is a leaf, as in ``jax.tree_util.tree_flatten``.

    Returns:
        ``(key path, leaf)`` of each leaf, and the structure of the tree.
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
    """Return ``blocks.0.norm.counter`` for the marker ``"Net.blocks[0].norm.counter"``."""
    mark = list(state._state)[key.key]
    return (
        tree_util.GetAttrKey(".".join(re.findall(r"\w+", mark)[1:]))
        if isinstance(mark, str)
        else key
    )


def path_name(path: Sequence[Any]) -> str:
    """Join the keys of a JAX key path with dots, leaving out steps into a wrapper."""
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
