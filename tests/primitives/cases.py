"""JAX's harness: a few thousand calls of its primitives, each with its arguments and a dtype.

`jax._src.internal_test_util.test_harnesses` lists one set of cases with 64-bit types off, and a
larger one with them on. Here a case of the first set runs as it is listed there, except where its
own dtype has 64 bits; what only the second set has runs in double precision.
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
    """One case of the harness; the functions and arguments depend on nothing but its name."""

    harness: Any
    double: bool

    @property
    def name(self) -> str:
        """Unique among all cases."""
        return str(self.harness.fullname)

    @property
    def group(self) -> str:
        """Most often the primitive's name."""
        return str(self.harness.group_name)

    @property
    def params(self) -> dict[str, Any]:
        """The description of the case by the harness: shapes, flags."""
        return dict(self.harness.params)

    def arguments(self) -> list[Array]:
        """The same numbers each time."""
        made = self.harness.dyn_args_maker(np.random.RandomState(0))
        return [np.asarray(argument) for argument in made]

    def __call__(self, *arguments: Any) -> Any:
        """Calls JAX."""
        return self.harness.dyn_fun(*arguments)


@functools.cache
def groups() -> dict[str, list[Case]]:
    """All cases, by group; in the order of their names, for the harness goes through sets."""
    single, double = _listed(double=False), _listed(double=True)
    cases = [Case(harness, _has_64_bits(harness.dtype)) for harness in single.values()]
    cases += [Case(harness, double=True) for name, harness in double.items() if name not in single]
    found: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: (case.group, case.name)):
        found.setdefault(case.group, []).append(case)
    return found


def sample(count: int) -> list[Case]:
    """About ``count`` cases of each group, far apart in its list."""
    chosen = []
    for cases in groups().values():
        chosen += cases[:: max(1, len(cases) // count)][:count]
    return chosen


def _listed(*, double: bool) -> dict[str, Any]:
    """The cases by name. The harness makes its list, of the types there are, when it is loaded."""
    spec = importlib.util.find_spec("jax._src.internal_test_util.test_harnesses")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with jax.enable_x64(double):
        vars(test_util.dtypes).clear()  # it remembers which types there were
        spec.loader.exec_module(module)
    return {harness.fullname: harness for harness in module.all_harnesses}


def _has_64_bits(dtype: Any) -> bool:
    kind = np.dtype(dtype)
    return bool(kind.itemsize == (16 if kind.kind == "c" else 8))
