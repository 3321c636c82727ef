"""Jaxprs: which ones an equation holds, which equations only call another, and source lines.

This is the only module that knows the params under which JAX's primitives keep their jaxprs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.extend import core, source_info_util
from jax.extend.core import primitives

from jax2onnx import jax_internals
from jax2onnx.marks import Mark

_JAX_FOLDER = str(Path(jax.__file__).parent)

CALLS: tuple[core.Primitive, ...] = (
    primitives.jit_p,
    primitives.custom_jvp_call_p,
    primitives.custom_vjp_call_p,
    jax_internals.linear_call_p,
    jax_internals.custom_vmap_p,
    primitives.closed_call_p,
    jax_internals.composite_p,
    primitives.remat_p,
    jax_internals.program_order_p,
    jax_internals.xla_metadata_call_p,
)
"""Primitives that do nothing but call a jaxpr on their operands."""


def aval_of(variable: core.Var | core.Literal) -> jax.core.ShapedArray:
    """Return the abstract value of a variable; in what this package traces, all are arrays."""
    aval: Any = variable.aval
    array: jax.core.ShapedArray = aval
    return array


def close(jaxpr: core.Jaxpr | core.ClosedJaxpr) -> core.ClosedJaxpr:
    """Return ``jaxpr`` as a closed jaxpr; an open one must have no constants."""
    either: Any = jaxpr  # from JAX 0.11 on, the two classes are one
    return either if isinstance(either, core.ClosedJaxpr) else core.ClosedJaxpr(either, ())


def only_jaxpr(params: Mapping[str, object]) -> core.ClosedJaxpr:
    """Return the only jaxpr of the params of a call, whose name differs between primitives."""
    (jaxpr,) = (p for p in params.values() if isinstance(p, core.Jaxpr | core.ClosedJaxpr))
    return close(jaxpr)


def called_jaxpr(eqn: core.JaxprEqn) -> core.ClosedJaxpr | None:
    """Return the jaxpr that ``eqn`` calls on its operands, or None if it is not a mere call."""
    return only_jaxpr(eqn.params) if eqn.primitive in CALLS else None


def nested_jaxprs(eqn: core.JaxprEqn) -> Iterator[core.ClosedJaxpr]:
    """Yield the jaxprs in the params of ``eqn``: callees, branches and bodies of loops.

    Of the branches of ``jax.lax.platform_dependent`` only the CPU's is lowered, and yielded.
    """
    platforms = eqn.params.get("branches_platforms")
    if platforms:
        yield close(eqn.params["branches"][branch_on_cpu(platforms)])
    else:
        yield from _jaxprs_in(eqn.params.values())


def _jaxprs_in(params: Iterable[object]) -> Iterator[core.ClosedJaxpr]:
    for param in params:
        if isinstance(param, core.Jaxpr | core.ClosedJaxpr):
            yield close(param)
        elif isinstance(param, tuple | list):
            yield from _jaxprs_in(param)


def branch_on_cpu(platforms: Sequence[Sequence[str] | None]) -> int:
    """Return the branch of ``jax.lax.platform_dependent`` that runs on the CPU.

    The names of the platforms of a branch are None for the default one.
    """
    cpu = [i for i, names in enumerate(platforms) if names is not None and "cpu" in names]
    return cpu[0] if cpu else list(platforms).index(None)


def without_dead_equations(jaxpr: core.Jaxpr) -> core.Jaxpr:
    """Return ``jaxpr`` without the equations whose results are not used; its inputs stay.

    A marked call (``@onnx_function``) keeps all of its results, whichever are used, so that all
    calls of one function can share one ONNX function.
    """
    needed = {v for v in jaxpr.outvars if isinstance(v, core.Var)}
    kept: list[core.JaxprEqn] = []
    for eqn in reversed(jaxpr.eqns):
        used = [v in needed for v in eqn.outvars]
        if not any(used) and not eqn.effects:
            continue
        marked = eqn.primitive is primitives.jit_p and Mark.parse(eqn.params["name"])
        if not marked:
            live = jax_internals.prune(eqn, used)
        elif any(map(_is_key, eqn.invars)):
            # A random key that the call does not use cannot be an input of the graph.
            live = jax_internals.prune(eqn, [True] * len(used))
        else:
            live = eqn
        if live is not None:
            kept.append(live)
            needed.update(v for v in live.invars if isinstance(v, core.Var))
    pruned: core.Jaxpr = jaxpr.replace(eqns=kept[::-1])
    return pruned


def _is_key(variable: core.Var | core.Literal) -> bool:
    return bool(jax.numpy.issubdtype(aval_of(variable).dtype, jax.dtypes.prng_key))


def source_line(eqn: core.JaxprEqn) -> str:
    """Return the user's line that ``eqn`` comes from, as ``file:line:column (function)``."""
    return str(source_info_util.summarize(eqn.source_info))


def call_site(jaxpr: core.Jaxpr, eqn: core.JaxprEqn) -> str:
    """Return the user's line that ``eqn`` of ``jaxpr`` comes from; "" where it is unknown.

    It is unknown in a function of JAX's own, whose jaxpr is cached with the lines of its first
    caller. The file is named without its folder, which differs between machines.
    """
    if _JAX_FOLDER in (jaxpr.debug_info.func_src_info or ""):
        return ""
    line = source_line(eqn)
    return "" if line == "unknown" else re.sub(r"^.*[/\\]", "", line)
