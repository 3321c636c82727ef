"""Choosing the next token from logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporters.errors import ExportError


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    The order is that of transformers: the temperature divides the logits, ``top_k`` keeps the most
    probable tokens, and ``top_p`` keeps the most probable of these whose probabilities sum to at
    least ``top_p``.

    Attributes:
        temperature: 0 always chooses the most probable token; the first one of several.
        top_k: the number of tokens to choose from; 0 for all of them.
        top_p: the share of the probability to choose from, above 0 and at most 1.
        seed: the seed of the random numbers. Equal seeds give equal choices.

    Raises:
        ExportError: a value is out of its range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        problems = {
            f"temperature is {self.temperature}: give 0 or more": not self.temperature >= 0,
            f"top_k is {self.top_k}: give 0 or more": self.top_k < 0,
            f"top_p is {self.top_p}: give a number above 0, up to 1": not 0 < self.top_p <= 1,
            f"seed is {self.seed}: give 0 or more": self.seed < 0,
        }
        for problem, is_one in problems.items():
            if is_one:
                raise ExportError(f"{problem}.")


class Sampler:
    """Chooses one token after the other."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed)

    def __call__(self, logits: npt.NDArray[np.float32]) -> int:
        """Return the number of a token; ``logits`` is f32 (vocabulary,)."""
        if self._sampling.temperature == 0:
            return int(np.argmax(logits))
        order, probabilities = candidates(logits, self._sampling)
        return int(self._random.choice(order, p=probabilities))


def candidates(
    logits: npt.NDArray[np.float32], sampling: Sampling
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the tokens to choose from, the most probable first, and their probabilities.

    Args:
        logits: f32 (vocabulary,).
        sampling: a temperature above 0, and the limits.

    Returns:
        The numbers of the tokens, int64 (n,), and their probabilities, f64 (n,), which sum to 1.
    """
    order = np.argsort(-logits, kind="stable")[: sampling.top_k or None]
    scaled = logits[order].astype(np.float64) / sampling.temperature
    weights = np.exp(scaled - scaled[0])
    probabilities = weights / weights.sum()
    before = np.cumsum(probabilities) - probabilities
    kept = before < sampling.top_p
    return order[kept], probabilities[kept] / probabilities[kept].sum()
