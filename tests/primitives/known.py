"""The cases that fail, and why: limits of ONNX Runtime, each shown by the smallest model.

A case that fails and is not here is a fault of the converter. One that is here and passes is to be
taken out; `primitives_test.py` sees to both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from tests.primitives.cases import Array


@dataclass(frozen=True)
class Limit:
    """Something that the runtime cannot do.

    Attributes:
        reason: what it is, in a sentence.
        model: the smallest valid model that needs it.
        feeds: the inputs on which the model fails, or gives something else.
        expected: what its outputs are by ONNX's definition.
        cases: names of the cases that need it.
    """

    reason: str
    model: onnx.ModelProto
    feeds: Mapping[str, Array]
    expected: Sequence[Array]
    cases: Sequence[str]


LIMITS: tuple[Limit, ...] = ()


def reason_of(name: str) -> str | None:
    """Why a case is known to fail, if it is."""
    return next((limit.reason for limit in LIMITS if name in limit.cases), None)
