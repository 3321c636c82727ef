"""Find the public symbols of each library by introspection."""

from __future__ import annotations

import importlib
import importlib.metadata
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

from tests.coverage.example import Example
from tests.coverage.excluded import EXCLUDED


@dataclass(frozen=True)
class Library:
    """A module whose public symbols have a row each.

    Attributes:
        name: its import name.
        examples: the module below ``tests.coverage.libraries`` that has its examples.
        nested: whether it includes the symbols of its submodules, such as ``norm.pdf``.
        part: the module below which symbols must be defined, or "" for no restriction.
    """

    name: str
    examples: str
    nested: bool = False
    part: str = ""

    @cache  # noqa: B019  # Libraries live as long as the process.
    def symbols(self) -> tuple[str, ...]:
        """Return the sorted names of its public symbols, without modules."""
        module = importlib.import_module(self.name)
        found = [name for name in _public(module) if self._is_of_part(getattr(module, name))]
        if self.nested:
            for name, value in vars(module).items():
                if isinstance(value, types.ModuleType) and not name.startswith("_"):
                    found += [f"{name}.{inner}" for inner in _public(value)]
        return tuple(sorted(found))

    def _is_of_part(self, value: Any) -> bool:
        return not self.part or str(getattr(value, "__module__", "")).startswith(self.part)

    def excluded(self) -> dict[str, str]:
        """Return the symbols that are not computations of JAX, with the reasons."""
        stated = EXCLUDED.get(self.name, {})
        module = importlib.import_module(self.name)
        has_example = {example.symbol for example in self.all_examples()}
        reasons = {}
        for symbol in self.symbols():
            value: Any = module
            for part in symbol.split("."):
                value = getattr(value, part)
            reason = stated.get(symbol) or next((r for test, r in _KINDS if test(value)), None)
            if reason is not None and symbol not in has_example:
                reasons[symbol] = reason
        return reasons

    @cache  # noqa: B019
    def all_examples(self) -> tuple[Example, ...]:
        """Return every example of the library, in the order of its module."""
        module = importlib.import_module(f"tests.coverage.libraries.{self.examples}")
        return tuple(module.EXAMPLES)

    @property
    def release(self) -> str:
        """The package and its installed release, such as ``jax 0.12.0``."""
        package = self.name.partition(".")[0]
        return f"{package} {importlib.metadata.version(package)}"

    @property
    def traceable(self) -> list[str]:
        """The symbols that have a row."""
        excluded = self.excluded()
        return [symbol for symbol in self.symbols() if symbol not in excluded]


def _public(module: types.ModuleType) -> list[str]:
    return [
        name
        for name in dir(module)
        if not name.startswith("_") and not isinstance(getattr(module, name), types.ModuleType)
    ]


def _is_dtype(value: Any) -> bool:
    scalar = isinstance(value, type) and issubclass(value, np.generic)
    return scalar or isinstance(value, type(jnp.float32)) or value is jnp.dtype


_KINDS: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda value: isinstance(value, Primitive), "primitive"),
    (_is_dtype, "type"),
    (lambda value: not callable(value), "constant"),
)
"""Tests of symbols that are not computations, and the reason that each implies."""

LIBRARIES: tuple[Library, ...] = (
    Library("jax.numpy", "jax_numpy"),
    Library("jax.numpy.linalg", "jax_numpy_linalg"),
    Library("jax.numpy.fft", "jax_numpy_fft"),
    Library("jax.lax", "jax_lax"),
    Library("jax.lax.linalg", "jax_lax_linalg"),
    Library("jax.nn", "jax_nn"),
    Library("jax.nn.initializers", "jax_nn_initializers"),
    Library("jax.random", "jax_random"),
    Library("jax.image", "jax_image"),
    Library("jax.scipy.special", "jax_scipy_special"),
    Library("jax.scipy.linalg", "jax_scipy_linalg"),
    Library("jax.scipy.signal", "jax_scipy_signal"),
    Library("jax.scipy.stats", "jax_scipy_stats", nested=True),
    Library("flax.nnx", "flax_nnx"),
    Library("flax.linen", "flax_linen"),
    Library("equinox.nn", "equinox_nn"),
    Library("equinox.internal", "equinox_internal", part="equinox.internal._loop"),
    Library("dm_pix", "dm_pix_"),
)
