"""A model of the zoo."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.coverage.example import Arg

TOLERANCES = {False: 1e-4, True: 1e-9}
"""Tolerances relative to the value or to the largest value of the output, by ``Model.double``."""


@dataclass(frozen=True)
class Model:
    """A function of a library, or a model of random weights.

    Attributes:
        name: its name in the table.
        make: returns the callable, which computes as in inference.
        inputs: its inputs.
        batch: whether the leading axis of the inputs that are not ``fixed`` has a name.
        double: whether it computes in 64 bits.
        tolerance: the tolerance, where it is wider than that of ``TOLERANCES``.
        failure: the reason why it does not convert, if it does not.
        compiled: whether JAX compiles it for the comparison, in which a module of Flax NNX may not
            change its state.
        context: returns the context in which it is made, run and converted.
    """

    name: str
    make: Callable[[], Callable[..., Any]]
    inputs: tuple[Arg, ...]
    batch: bool = False
    double: bool = False
    tolerance: float | None = None
    failure: str = ""
    compiled: bool = True
    context: Callable[[], AbstractContextManager[Any]] = nullcontext

    def arrays(self) -> list[Any]:
        """Return random inputs, which are the same on every machine."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [arg.draw(random, self.double) for arg in self.inputs]

    def shapes(self) -> list[tuple[int | str, ...]]:
        """Return the shapes of the inputs, with a symbolic batch axis if the model has one."""
        return [
            ("B", *arg.shape[1:]) if self.batch and arg.shape and not arg.fixed else arg.shape
            for arg in self.inputs
        ]

    @property
    def limit(self) -> float:
        """The tolerance."""
        return TOLERANCES[self.double] if self.tolerance is None else self.tolerance


def of(name: str, fn: Callable[..., Any], *inputs: Arg, **options: Any) -> Model:
    """Return a function as a model, with options of ``Model``."""
    return Model(name, lambda: fn, inputs, **options)


def made(name: str, make: Callable[[], Callable[..., Any]], *inputs: Arg, **options: Any) -> Model:
    """Return the lazy result of ``make`` as a model, with options of ``Model``."""
    return Model(name, make, inputs, **options)
