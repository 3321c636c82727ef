"""What worker processes do; they cannot import it from `__main__`."""

from __future__ import annotations

import warnings

import jax

from tests.coverage.introspect import LIBRARIES
from tests.coverage.journal import Key
from tests.coverage.modes import MODES, Verdict, verdict


def judged(task: tuple[str, tuple[int, ...]]) -> dict[Key, Verdict]:
    """Verdicts on some examples of a library, in every mode."""
    warnings.simplefilter("ignore")  # of the libraries themselves
    jax.config.update("jax_disable_most_optimizations", True)  # compiling is most of the time
    name, chosen = task
    library = next(x for x in LIBRARIES if x.name == name)
    examples = [library.all_examples()[k] for k in chosen]
    return {(name, e.name, mode): verdict(e, mode) for e in examples for mode in MODES}
