from __future__ import annotations

import numpy as np
import pytest

from exporters.errors import ExportError
from exporters.generation.sampling import Sampler, Sampling, candidates

PROBABILITIES = np.array([0.1, 0.4, 0.05, 0.3, 0.15])
LOGITS = np.log(PROBABILITIES).astype(np.float32) + 3


def test_temperature_zero_takes_the_first_of_the_most_probable_tokens() -> None:
    assert Sampler(Sampling())(np.array([1, 7, 7, 2], np.float32)) == 1


@pytest.mark.parametrize(
    ("sampling", "tokens", "shares"),
    [
        (Sampling(1.0), [1, 3, 4, 0, 2], [0.4, 0.3, 0.15, 0.1, 0.05]),
        (Sampling(1.0, top_k=2), [1, 3], [4 / 7, 3 / 7]),
        (Sampling(1.0, top_p=0.7), [1, 3], [4 / 7, 3 / 7]),
        (Sampling(1.0, top_p=0.71), [1, 3, 4], [8 / 17, 6 / 17, 3 / 17]),
        (Sampling(1.0, top_p=0.01), [1], [1.0]),
        # With K = 3 the first two hold 0.7 / 0.85 of the probability.
        (Sampling(1.0, top_k=3, top_p=0.8), [1, 3], [4 / 7, 3 / 7]),
        (Sampling(0.5, top_k=2), [1, 3], [16 / 25, 9 / 25]),
    ],
)
def test_limits_apply_one_after_the_other(
    sampling: Sampling, tokens: list[int], shares: list[float]
) -> None:
    order, probabilities = candidates(LOGITS, sampling)
    assert order.tolist() == tokens
    np.testing.assert_allclose(probabilities, shares, rtol=1e-5)


def test_tokens_are_drawn_from_the_distribution_and_by_seed() -> None:
    draws = []
    for seed in (0, 0, 1):
        sampler = Sampler(Sampling(1.0, seed=seed))
        draws.append([sampler(LOGITS) for _ in range(4000)])
    assert draws[0] == draws[1] != draws[2]
    shares = np.bincount(draws[0], minlength=5) / 4000
    np.testing.assert_allclose(shares, PROBABILITIES, atol=0.03)


@pytest.mark.parametrize(
    ("sampling", "problem"),
    [
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_values_out_of_range_are_refused(sampling: dict[str, float], problem: str) -> None:
    with pytest.raises(ExportError, match=problem):
        Sampling(**sampling)  # type: ignore[arg-type]
