"""Warn of state, such as batch statistics, that a call of the model changes and the graph loses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

from jax import lax
from jax.extend import core

from jax2onnx.errors import StateChangeWarning, warn
from jax2onnx.trace.jaxprs import called_jaxpr, nested_jaxprs


def without_last(jaxpr: core.Jaxpr, count: int) -> core.Jaxpr:
    """Return ``jaxpr`` without its last ``count`` outputs."""
    outvars = jaxpr.outvars[: len(jaxpr.outvars) - count]
    debug_info = jaxpr.debug_info._replace(result_paths=None)
    fewer: core.Jaxpr = jaxpr.replace(outvars=outvars, debug_info=debug_info)
    return fewer


def warn_of_changes(
    paths: Sequence[str], jaxpr: core.Jaxpr, live: core.Jaxpr, training: bool
) -> None:
    """Warn of the state that a call changes without an output for it.

    The count of a random stream is state only where the graph draws numbers from that stream.

    Args:
        paths: the paths of the model's arrays, which are the first inputs of ``jaxpr``.
        jaxpr: its outputs are those of the call, then the state after it.
        live: the same jaxpr without the outputs for the state, and without dead equations.
        training: whether the user asked for what the model computes in training.
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
        advice = "Leave out training=True, or call model.eval() first. " if training else ""
        shown = ", ".join(changed[:5]) + f", ... ({len(changed)})" * (len(changed) > 5)
        warn(
            f"calling the model changes its state {shown}, for which the graph has no output: each "
            f"run computes with the state of now. {advice}If you need the new state, return it "
            "from a function that merges the module of it (nnx.split, nnx.merge).",
            StateChangeWarning,
        )


Atom = core.Var | core.Literal


def _origins(jaxpr: core.Jaxpr) -> Callable[[Atom], Atom]:
    """Return a function that gives the variable of ``jaxpr`` that a variable is a mere copy of.

    It follows variables through calls and branches that hand their operands on.
    """

    @functools.cache
    def made(jaxpr: core.Jaxpr) -> dict[core.Var, tuple[core.JaxprEqn, int]]:
        return {v: (eqn, i) for eqn in jaxpr.eqns for i, v in enumerate(eqn.outvars)}

    def origin(jaxpr: core.Jaxpr, variable: Atom) -> Atom:
        while isinstance(variable, core.Var) and variable in made(jaxpr):
            eqn, position = made(jaxpr)[variable]
            for inner in _called_once(eqn):
                first = origin(inner, inner.outvars[position])
                if first in inner.invars:
                    skipped = len(eqn.invars) - len(inner.invars)  # the index of a branch
                    variable = eqn.invars[inner.invars.index(first) + skipped]
                    break
            else:
                return variable
        return variable

    return functools.partial(origin, jaxpr)


def _called_once(eqn: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """Yield the jaxprs that an equation calls at most once, with its own last operands."""
    called = called_jaxpr(eqn)
    if called is not None:
        yield called.jaxpr
    elif eqn.primitive is lax.cond_p:
        yield from (branch.jaxpr for branch in nested_jaxprs(eqn))
