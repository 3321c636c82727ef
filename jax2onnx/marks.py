"""Marks: the names of the jits that become ONNX functions.

``@onnx_function`` marks a ``jax.jit`` by its name, because a name survives ``vmap`` and ``grad``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_MARK = re.compile(r"onnx_function<([\w.]+)\|([\w.]+)\|(\d+)>")


class Variant(NamedTuple):
    """A marked function with one choice of its static arguments.

    Attributes:
        unique: whether calls that compute the same share one function.
        names: the names of the arrays that it takes: the argument, and the path in it.
        static: the numbers, strings and functions that it was called with, by path.
    """

    unique: bool
    names: tuple[str, ...]
    static: Mapping[str, object]


_VARIANTS = [Variant(True, (), {})]
"""Indexed by ``Mark.number``. Entry 0 stands for jits that were not decorated."""


@dataclass(frozen=True)
class Mark:
    """The name of a marked jit, taken apart.

    Attributes:
        namespace: the domain of the ONNX function.
        name: its name.
        number: the index of its variant.
    """

    namespace: str
    name: str
    number: int = 0

    def __str__(self) -> str:
        return f"onnx_function<{self.namespace}|{self.name}|{self.number}>"

    @property
    def variant(self) -> Variant:
        """The static arguments and the names of the arrays of the call."""
        return _VARIANTS[self.number]

    @staticmethod
    def new(namespace: str, name: str, variant: Variant) -> Mark:
        """Return a mark for a variant that has none yet.

        Args:
            namespace: the domain of the ONNX function.
            name: its name.
            variant: registered under the number of the mark, for as long as the process lives.
        """
        _VARIANTS.append(variant)
        return Mark(namespace, name, len(_VARIANTS) - 1)

    @staticmethod
    def parse(name: str) -> Mark | None:
        """Return the mark that the name of a jit contains, or None."""
        found = _MARK.search(name)
        return Mark(found[1], found[2], int(found[3])) if found else None
