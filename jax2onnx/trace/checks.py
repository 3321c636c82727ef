"""Checks of values (``equinox.error_if``), which call Python, as a graph cannot raise errors.

They are left out, or on request become outputs of the graph that say which check fails.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from jax2onnx.errors import CheckWarning, warn
from jax2onnx.trace.jaxprs import aval_of

_SHOWN = 5
_LONGEST = 60

Either = TypeVar("Either", core.Jaxpr, core.ClosedJaxpr)


check_p = core.Primitive("check")
"""A conditional whose other branches raise errors: ``check(index, *operands)``.

Its params are ``branches``, a tuple of the one branch that raises none, ``passing``, the index that
selects it, and ``message``, the error of the others.
"""
check_p.multiple_results = True
check_p.def_abstract_eval(lambda *_, branches, **__: branches[0].out_avals)


def without_checks(closed: Either, messages: dict[str, None], keep: bool = False) -> Either:
    """Return a jaxpr without the conditionals that raise an error of Equinox's.

    Jaxprs that are nested in it lose their checks too; one without checks stays the same object.

    Args:
        closed: an open or a closed jaxpr.
        messages: gets the messages of the checks that are left out, as keys.
        keep: whether checks become equations of ``check_p``. Those of complex numbers and of random
            keys are left out in any case.
    """
    without: Either = _Remover(messages, keep).jaxpr(closed)
    return without


def warn_of_checks(messages: Collection[str]) -> None:
    """Warn that the model's checks are left out, if there are any."""
    if messages:
        lines = list(messages)[:_SHOWN] + [f"... ({len(messages)})"] * (len(messages) > _SHOWN)
        warn(
            "the model checks values while it runs (equinox.error_if), and an ONNX graph cannot "
            'raise errors (checks="outputs" makes outputs of them, where it can). The graph '
            "computes as if every check passed:\n  " + "\n  ".join(lines),
            CheckWarning,
        )


def check_names(messages: Sequence[str], taken: Collection[str]) -> list[str]:
    """Return names of outputs for checks, such as ``check_failed.x_is_negative``.

    Args:
        messages: the message of each check.
        taken: names that these outputs cannot have.
    """
    names: list[str] = []
    for message in messages:
        words = re.sub(r"\W+", "_", message.lower()).strip("_")[:_LONGEST].rstrip("_")
        name, count = f"check_failed.{words or 'check'}", 1
        while name in taken or name in names:
            count += 1
            name = f"check_failed.{words or 'check'}_{count}"
        names.append(name)
    return names


class _Remover:
    """Removes checks from jaxprs.

    Args:
        messages: gets the messages of the checks.
        keep: whether checks become equations of ``check_p``.
    """

    def __init__(self, messages: dict[str, None], keep: bool) -> None:
        self.messages = messages
        self._keep = keep
        self._done: dict[int, tuple[Any, Any]] = {}

    def jaxpr(self, either: Any) -> Any:
        """Return an open or closed jaxpr without checks."""
        if id(either) not in self._done:
            inner = either.jaxpr if isinstance(either, core.ClosedJaxpr) else either
            eqns = list(map(self._equation, inner.eqns))
            new = either
            if any(a is not b for a, b in zip(eqns, inner.eqns, strict=True)):
                changed = inner.replace(eqns=eqns)
                new = either.replace(jaxpr=changed) if either is not inner else changed
            self._done[id(either)] = either, new
        return self._done[id(either)][1]

    def _equation(self, eqn: core.JaxprEqn) -> core.JaxprEqn:
        params = {name: self._param(p) for name, p in eqn.params.items()}
        if eqn.primitive is lax.cond_p:
            branches = params["branches"]
            kept = tuple(b for b in branches if not _messages(b))
            if len(kept) == 1 < len(branches) and self._keep and _is_real(eqn):
                message = next((m for b in branches for m in _messages(b) if m), "")
                passing = branches.index(kept[0])
                params = {"branches": kept, "passing": passing, "message": message}
                check: core.JaxprEqn = eqn.replace(primitive=check_p, params=params)
                return check
            if len(kept) == 1 < len(branches):
                self.messages.update((m, None) for b in branches for m in _messages(b) if m)
                index: Any = core.Literal(np.int32(0), aval_of(eqn.invars[0]))
                eqn = eqn.replace(invars=[index, *eqn.invars[1:]])
                params["branches"] = kept
        if any(params[name] is not p for name, p in eqn.params.items()):
            eqn = eqn.replace(params=params)
        return eqn

    def _param(self, param: Any) -> Any:
        if isinstance(param, core.Jaxpr | core.ClosedJaxpr):
            return self.jaxpr(param)
        if type(param) is tuple:  # branches
            new = tuple(map(self._param, param))
            return param if all(a is b for a, b in zip(new, param, strict=True)) else new
        return param


def _is_real(eqn: core.JaxprEqn) -> bool:
    """Return whether no operand or result is a complex number or a random key."""
    dtypes = [aval_of(v).dtype for v in (*eqn.invars, *eqn.outvars)]
    other = (jnp.complexfloating, jax.dtypes.prng_key)
    return not any(jnp.issubdtype(dtype, kind) for dtype in dtypes for kind in other)


def _messages(branch: core.ClosedJaxpr) -> list[str]:
    """Return the errors that a branch raises, a sentence of each; none if it returns results."""
    for eqn in branch.jaxpr.eqns:
        callback: Any = getattr(eqn.params.get("callback"), "callback_func", None)
        if getattr(callback, "__module__", None) == "equinox._errors":
            texts = inspect.getclosurevars(callback).nonlocals.get("msgs", ("",))
            return [re.split(r"(?<=\.)\s|\n", text.strip(), maxsplit=1)[0] for text in texts]
    return []
