"""State of a model that its call changes, such as batch statistics, where the graph loses that."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from jax.extend import core

from jax2onnx.errors import StateChangeWarning


def without_last(jaxpr: core.Jaxpr, count: int) -> core.Jaxpr:
    """Without the last ``count`` outputs."""
    outvars = jaxpr.outvars[: len(jaxpr.outvars) - count]
    debug_info = jaxpr.debug_info._replace(result_paths=None)
    fewer: core.Jaxpr = jaxpr.replace(outvars=outvars, debug_info=debug_info)
    return fewer


def warn_of_changes(paths: Sequence[str], jaxpr: core.Jaxpr, live: core.Jaxpr) -> None:
    """Names what a call changes without an output for it.

    The count of a random stream is state only where the graph draws numbers from that stream.

    Args:
        paths: of the arrays of the model, which are the first inputs of ``jaxpr``.
        jaxpr: what the call computes, and then the state after it.
        live: without that state, and what nobody reads.
    """
    after = jaxpr.outvars[len(live.outvars) :]
    if not after:
        return
    before = dict(zip(paths, jaxpr.invars, strict=False))
    used = {v for eqn in live.eqns for v in eqn.invars if isinstance(v, core.Var)}
    kept = {v for v in live.outvars if isinstance(v, core.Var)}
    origin, changed = _origins(jaxpr), []
    for (path, old), new in zip(before.items(), after, strict=True):
        key = before.get(path.removesuffix("count") + "key")
        drawn = key is None or key in used
        if origin(new) is not old and new not in kept and drawn:
            changed.append(path)
    if changed:
        shown = ", ".join(changed[:5]) + f", ... ({len(changed)})" * (len(changed) > 5)
        warnings.warn(
            f"calling the model changes its state {shown}, for which the graph has no output: each "
            "run computes with the state of now. Call model.eval() first, or return the state from "
            "a function that merges the module of it (nnx.split, nnx.merge).",
            StateChangeWarning,
            stacklevel=4,
        )


def _origins(jaxpr: core.Jaxpr) -> Any:
    """Gives the variable that a variable is handed on from, through nested calls and branches."""

    @functools.cache
    def made(jaxpr: core.Jaxpr) -> dict[core.Var, tuple[core.JaxprEqn, int]]:
        return {v: (eqn, i) for eqn in jaxpr.eqns for i, v in enumerate(eqn.outvars)}

    def origin(jaxpr: core.Jaxpr, variable: Any) -> Any:
        while isinstance(variable, core.Var) and variable in made(jaxpr):
            eqn, position = made(jaxpr)[variable]
            for inner in _called(eqn):
                first = origin(inner, inner.outvars[position])
                if first in inner.invars:
                    skipped = len(eqn.invars) - len(inner.invars)  # the index of a branch
                    variable = eqn.invars[inner.invars.index(first) + skipped]
                    break
            else:
                return variable
        return variable

    return functools.partial(origin, jaxpr)


def _called(eqn: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """What an equation calls once, with its own arguments."""
    if eqn.primitive.name in ("cond", "jit", "checkpoint", "remat2", "closed_call"):
        for inner in eqn.params.get("branches") or (eqn.params["jaxpr"],):
            yield getattr(inner, "jaxpr", inner)
