"""The ``onnx_client_test`` target: its fields and the ``test`` goal."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from onnx_export.clients import at_hand, dependencies, goal


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *at_hand.rules(),
        *dependencies.rules(),
        *goal.rules(),
    )
