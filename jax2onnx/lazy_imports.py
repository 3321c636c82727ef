"""Import `onnx_ir` without the computer algebra system that it imports.

`onnx_ir` computes with symbolic sizes by sympy, which takes as long to import as everything else
that a first conversion needs besides JAX. This package has sizes of its own
(`jax2onnx.graph.sizes`), so sympy is loaded only if a caller computes with an ``ir.SymbolicDim``.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_LAZY = frozenset({"onnx_ir._symbolic_shapes", "sympy"})
"""sympy, and the module of `onnx_ir` that reads attributes of sympy while it is imported."""


class _LazyFinder(MetaPathFinder):
    """Finds modules that Python's own ``LazyLoader`` loads when an attribute is first read."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a lazy module, or None for every other module."""
        if fullname not in _LAZY:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def import_onnx_ir() -> None:
    """Import `onnx_ir`, and let it import sympy when sympy is first used.

    A module that is loaded already stays as it is. Imports by others are not affected: a later
    ``import sympy`` finds the lazy module and loads it at once.
    """
    if "onnx_ir" in sys.modules:
        return
    finder = _LazyFinder()
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module("onnx_ir")
    finally:
        sys.meta_path.remove(finder)
