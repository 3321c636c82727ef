"""What equations of jaxprs tell: the line that they come from, and the jaxprs in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.extend import core, source_info_util

from jax2onnx.jax_internals import InternalMutableArrayEffect, discharge_state

_OF_JAX = str(Path(jax.__file__).parent)

unsupported_p = core.Primitive("unsupported")
"""Stands for an equation that cannot be traced again on plain numbers, called ``name``."""

unsupported_p.multiple_results = True
unsupported_p.def_abstract_eval(
    lambda *, name, types: [jax.core.ShapedArray(t.shape, t.dtype) for t in types]
)


def without_references(closed: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """The same computation on values, where it writes to arrays of its own (`jax.new_ref`)."""
    if not any(isinstance(e, InternalMutableArrayEffect) for e in closed.jaxpr.effects):
        return closed
    discharged: core.ClosedJaxpr = discharge_state(closed)
    return discharged


def source_line(eqn: core.JaxprEqn) -> str:
    """The line outside JAX that an equation comes from."""
    return str(source_info_util.summarize(eqn.source_info))


def call_site(jaxpr: core.Jaxpr, eqn: core.JaxprEqn) -> str:
    """File, line and function outside JAX that an equation comes from; empty if they are unknown.

    They are unknown in a function of JAX's own: its jaxpr is the one of whoever called it first.
    The file is named without its folder, which differs between machines.
    """
    if _OF_JAX in (jaxpr.debug_info.func_src_info or ""):
        return ""
    line = source_line(eqn)
    return "" if line == "unknown" else re.sub(r"^.*[/\\]", "", line)


def nested_jaxprs(eqn: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """The jaxprs in the params of an equation; of a choice between platforms, that of the CPU."""
    platforms = eqn.params.get("branches_platforms")
    if platforms:
        return _jaxprs([eqn.params["branches"][branch_on_cpu(platforms)]])
    return _jaxprs(list(eqn.params.values()))


def branch_on_cpu(platforms: Sequence[Any]) -> int:
    """Which branch of ``lax.platform_dependent`` to take: the CPU's, else the default one."""
    order = list(platforms)
    cpu = [i for i, names in enumerate(order) if names is not None and "cpu" in names]
    return cpu[0] if cpu else order.index(None)


def _jaxprs(params: Sequence[Any]) -> Iterator[core.Jaxpr]:
    for param in params:
        if isinstance(param, core.Jaxpr):
            yield param
        elif isinstance(param, core.ClosedJaxpr):
            yield param.jaxpr
        elif isinstance(param, tuple | list):
            yield from _jaxprs(param)
