"""Find the module of the model that an equation belongs to, by the parameters that it consumes.

The jaxpr of a model does not name its modules, but its parameters bear their paths. An equation
that consumes ``layers.1.attention.q.weight`` belongs to ``layers.1.attention.q``; what follows it
without parameters of its own belongs to the module around it, ``layers.1.attention``.
"""

from collections.abc import Iterable, Sequence

from jax.extend import core

TRANSPARENT = frozenset(
    (
        "broadcast_in_dim",
        "convert_element_type",
        "copy",
        "expand_dims",
        "reshape",
        "rev",
        "slice",
        "split",
        "squeeze",
        "transpose",
    )
)
"""Primitives that only change the shape or dtype of a parameter: their result is still named so."""


def parent(path: str) -> str:
    """Return ``layers.1.attention`` for ``layers.1.attention.q``, and ``""`` at the root."""
    return path.rpartition(".")[0]


def common(modules: Sequence[str]) -> str:
    """Return the innermost module that contains all of ``modules``."""
    if len(modules) == 1:
        return modules[0]
    steps = [m.split(".") for m in modules]
    shared = []
    for level in zip(*steps, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared)


class ModuleTracker:
    """Follows parameters through the equations of one jaxpr, in their order.

    Args:
        parameters: variables of the jaxpr that are parameters of the model, with their paths.
    """

    def __init__(self, parameters: Iterable[tuple[core.Var, str]]) -> None:
        self._path = dict(parameters)
        self._last = ""

    def paths(self, variables: Iterable[core.Var | core.Literal]) -> list[str]:
        """Return the path of the parameter that each variable is, ``""`` where it is none."""
        return [self._path.get(v, "") if isinstance(v, core.Var) else "" for v in variables]

    def enter(self, eqn: core.JaxprEqn) -> tuple[str, bool]:
        """Return the module of the next equation, and whether it consumes one of its parameters."""
        paths = [p for p in self.paths(eqn.invars) if p]
        if not paths:
            return parent(self._last), False
        module = common([parent(p) for p in paths])
        if eqn.primitive.name in TRANSPARENT and len(eqn.invars) == 1:
            for var in eqn.outvars:
                self._path[var] = paths[0]
            return module, False
        self._last = module
        return module, True
