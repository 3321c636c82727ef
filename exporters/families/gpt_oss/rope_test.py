import numpy as np
import pytest

from exporters.families.gpt_oss.config import Yarn
from exporters.families.gpt_oss.rope import concentration, inverse_frequencies

PUBLISHED = Yarn(
    theta=150000.0,
    factor=32.0,
    beta_fast=32.0,
    beta_slow=1.0,
    original_context=4096,
    truncate=False,
)


def test_published_table_to_the_last_bit() -> None:
    """The table agrees with mpmath: pairs up to 8 are unchanged, and from 18 fully slowed."""
    table = inverse_frequencies(PUBLISHED, 64)
    exact = {
        0: "0x1.0000000000000p+0",
        1: "0x1.60ca6a0000000p-1",
        8: "0x1.a0432a0000000p-5",
        9: "0x1.03bbaa0000000p-5",
        13: "0x1.f9fc2a0000000p-9",
        17: "0x1.0f33720000000p-13",
        18: "0x1.415b8c0000000p-15",
        31: "0x1.44a5a60000000p-22",
    }
    assert table.dtype == np.float32
    assert {pair: float(table[pair]).hex() for pair in exact} == exact


def test_concentration() -> None:
    assert concentration(PUBLISHED).hex() == "0x1.58b90bfbe8e7cp+0"


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("context", [64, 4096])
def test_agrees_with_the_formula_in_double_precision(truncate: bool, context: int) -> None:
    yarn = Yarn(5000.0, 8.0, 32.0, 1.0, context, truncate)
    head_dim = 24
    low, high = (
        head_dim * np.log(context / (turns * 2 * np.pi)) / (2 * np.log(yarn.theta))
        for turns in (32.0, 1.0)
    )
    if truncate:
        low, high = np.floor(low), np.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    pairs = np.arange(head_dim // 2)
    slowed = np.clip((pairs - low) / (high - low), 0, 1)
    expected = yarn.theta ** (-2 * pairs / head_dim) * (slowed / yarn.factor + 1 - slowed)
    np.testing.assert_allclose(inverse_frequencies(yarn, head_dim), expected, rtol=1e-7)


def test_a_factor_of_one_does_not_change_frequencies() -> None:
    yarn = Yarn(10000.0, 1.0, 32.0, 1.0, 4096, truncate=False)
    np.testing.assert_allclose(inverse_frequencies(yarn, 8), [1, 0.1, 0.01, 0.001], rtol=1e-7)
    assert concentration(yarn) == 1
