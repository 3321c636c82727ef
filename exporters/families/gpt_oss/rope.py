"""The tables of YaRN, which are equal to the last bit on every machine.

The tables become constants of the artifact, and libm, numpy and XLA each round ``pow`` and ``log``
in their own way. So they are computed with 40 decimal digits and rounded once, at the end.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

import numpy as np
import numpy.typing as npt

from exporters.families.gpt_oss.config import Yarn

_PI = Decimal("3.1415926535897932384626433832795028841972")
_CONTEXT = Context(prec=40)


def inverse_frequencies(yarn: Yarn, head_dim: int) -> npt.NDArray[np.float32]:
    """Return by how many radians each pair of dimensions turns, f32 (head_dim / 2,)."""
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
    """Return the factor of the cosines and sines, ``0.1 ln(factor) + 1``."""
    with localcontext(_CONTEXT):
        return float(Decimal(yarn.factor).ln() / 10 + 1)


def _ramp(yarn: Yarn, head_dim: int) -> tuple[Decimal, Decimal]:
    """Return the first and the last pair of the ramp from unchanged to slowed frequencies."""

    def pair_turning(turns: float) -> Decimal:
        positions_a_radian = yarn.original_context / (2 * _PI * Decimal(turns))
        return head_dim * positions_a_radian.ln() / (2 * Decimal(yarn.theta).ln())

    low, high = pair_turning(yarn.beta_fast), pair_turning(yarn.beta_slow)
    if yarn.truncate:
        low, high = low.to_integral_value(ROUND_FLOOR), high.to_integral_value(ROUND_CEILING)
    low, high = max(low, Decimal(0)), min(high, Decimal(head_dim - 1))
    # transformers avoids a ramp of no width in the same way.
    return (low, high) if low != high else (low, high + Decimal("0.001"))
