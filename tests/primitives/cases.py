"""The cases of JAX's harness: several thousand calls of primitives with arguments and a dtype.

``jax._src.internal_test_util.test_harnesses`` lists one set of cases with 64-bit types off, and a
larger one with them on. A case of the first set runs with 64-bit types off unless its own dtype has
64 bits. A case that only the second set has runs with them on.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax._src import test_util

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """One case of the harness. Its function and arguments depend only on its name."""

    harness: Any
    double: bool

    @property
    def name(self) -> str:
        """The name, which is unique among all cases."""
        return str(self.harness.fullname)

    @property
    def group(self) -> str:
        """The group, which is usually the primitive's name."""
        return str(self.harness.group_name)

    @property
    def params(self) -> dict[str, Any]:
        """The harness's parameters of the case, such as shapes and flags."""
        return dict(self.harness.params)

    def arguments(self) -> list[Array]:
        """Return the arguments, which are the same at each call."""
        made = self.harness.dyn_args_maker(np.random.RandomState(0))
        return [np.asarray(argument) for argument in made]

    def __call__(self, *arguments: Any) -> Any:
        """Call the JAX function."""
        return self.harness.dyn_fun(*arguments)


@functools.cache
def groups() -> dict[str, list[Case]]:
    """Return all cases by group, sorted by name, since the harness iterates over sets."""
    single, double = _listed(double=False), _listed(double=True)
    cases = [Case(harness, _has_64_bits(harness.dtype)) for harness in single.values()]
    cases += [Case(harness, double=True) for name, harness in double.items() if name not in single]
    found: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: (case.group, case.name)):
        found.setdefault(case.group, []).append(case)
    return found


def sample(count: int) -> list[Case]:
    """Return at most ``count`` cases of each group, evenly spaced in its list."""
    chosen = []
    for cases in groups().values():
        chosen += cases[:: max(1, len(cases) // count)][:count]
    return chosen


def _listed(*, double: bool) -> dict[str, Any]:
    """Return the cases by name. The harness lists cases of the enabled types when it is loaded."""
    spec = importlib.util.find_spec("jax._src.internal_test_util.test_harnesses")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with jax.enable_x64(double):
        vars(test_util.dtypes).clear()  # This cache keeps the enabled types.
        spec.loader.exec_module(module)
    return {harness.fullname: harness for harness in module.all_harnesses}


def _has_64_bits(dtype: Any) -> bool:
    kind = np.dtype(dtype)
    return bool(kind.itemsize == (16 if kind.kind == "c" else 8))
