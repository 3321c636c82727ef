"""The tasks of worker processes, which cannot import them from ``__main__``."""

from __future__ import annotations

import warnings

import jax

from tests.coverage.introspect import LIBRARIES
from tests.coverage.journal import Key
from tests.coverage.modes import Mode, Verdict, verdict

Task = tuple[str, tuple[tuple[int, Mode], ...]]
"""A library, and the indices of some of its examples, each with a mode."""


def judged(task: Task) -> dict[Key, Verdict]:
    """Return the verdicts on the examples of a task."""
    warnings.simplefilter("ignore")  # The libraries warn.
    jax.config.update("jax_disable_most_optimizations", True)  # Compilation takes most of the time.
    name, chosen = task
    examples = next(x for x in LIBRARIES if x.name == name).all_examples()
    return {(name, examples[k].name, mode): verdict(examples[k], mode) for k, mode in chosen}
