"""Leave out checks of values (``equinox.error_if``): they call Python, and a graph cannot raise."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from typing import Any, TypeVar

import numpy as np
from jax import lax
from jax.extend import core

from jax2onnx.errors import CheckWarning, warn
from jax2onnx.trace.jaxprs import aval_of

_SHOWN = 5

Either = TypeVar("Either", core.Jaxpr, core.ClosedJaxpr)


def without_checks(closed: Either, messages: dict[str, None]) -> Either:
    """Return a jaxpr without the conditionals that raise an error of Equinox's.

    Jaxprs that are nested in it lose their checks too; one without checks stays the same object.

    Args:
        closed: an open or a closed jaxpr.
        messages: gets the messages of the checks, as keys.
    """
    without: Either = _Remover(messages).jaxpr(closed)
    return without


def warn_of_checks(messages: Collection[str]) -> None:
    """Warn that the model's checks are left out, if there are any."""
    if messages:
        lines = list(messages)[:_SHOWN] + [f"... ({len(messages)})"] * (len(messages) > _SHOWN)
        warn(
            "the model checks values while it runs (equinox.error_if), and an ONNX graph cannot "
            "raise errors. The graph computes as if every check passed:\n  " + "\n  ".join(lines),
            CheckWarning,
        )


class _Remover:
    """Removes checks from jaxprs.

    Args:
        messages: gets the messages of the checks.
    """

    def __init__(self, messages: dict[str, None]) -> None:
        self.messages = messages
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


def _messages(branch: core.ClosedJaxpr) -> list[str]:
    """Return the errors that a branch raises, a sentence of each; none if it returns results."""
    for eqn in branch.jaxpr.eqns:
        callback: Any = getattr(eqn.params.get("callback"), "callback_func", None)
        if getattr(callback, "__module__", None) == "equinox._errors":
            texts = inspect.getclosurevars(callback).nonlocals.get("msgs", ("",))
            return [re.split(r"(?<=\.)\s|\n", text.strip(), maxsplit=1)[0] for text in texts]
    return []
