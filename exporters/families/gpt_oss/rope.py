"""YaRN's tables, to the last bit the same on every machine.

They become constants of the artifact, and libm, numpy and XLA each round `pow` and `log` in their
own way. Python's `decimal` rounds them correctly: 40 digits, rounded once at the end, settle it.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

import numpy as np
import numpy.typing as npt

from exporters.families.gpt_oss.config import Yarn

_PI = Decimal("3.1415926535897932384626433832795028841972")
_CONTEXT = Context(prec=40)


def inverse_frequencies(yarn: Yarn, head_dim: int) -> npt.NDArray[np.float32]:
    """Radians a position for each pair of dimensions, f32 (head_dim / 2,)."""
    with localcontext(_CONTEXT):
        low, high = _ramp(yarn, head_dim)
        log_theta, factor = Decimal(yarn.theta).ln(), Decimal(yarn.factor)
        table = []
        for pair in range(head_dim // 2):
            frequency = (-log_theta * 2 * pair / head_dim).exp()
            slowed = min(max((pair - low) / (high - low), Decimal(0)), Decimal(1))
            table.append(float(frequency * (slowed / factor + 1 - slowed)))
        return np.array(table, np.float32)


def concentration(yarn: Yarn) -> float:
    """What the cosines and sines are multiplied by: 0.1 ln(factor) + 1."""
    with localcontext(_CONTEXT):
        return float(Decimal(yarn.factor).ln() / 10 + 1)


def _ramp(yarn: Yarn, head_dim: int) -> tuple[Decimal, Decimal]:
    """The pairs of dimensions between which frequencies go from unchanged to slowed."""

    def pair_turning(turns: float) -> Decimal:
        positions_a_radian = yarn.original_context / (2 * _PI * Decimal(turns))
        return head_dim * positions_a_radian.ln() / (2 * Decimal(yarn.theta).ln())

    low, high = pair_turning(yarn.beta_fast), pair_turning(yarn.beta_slow)
    if yarn.truncate:
        low, high = low.to_integral_value(ROUND_FLOOR), high.to_integral_value(ROUND_CEILING)
    low, high = max(low, Decimal(0)), min(high, Decimal(head_dim - 1))
    # transformers' guard against a ramp of no width
    return (low, high) if low != high else (low, high + Decimal("0.001"))
