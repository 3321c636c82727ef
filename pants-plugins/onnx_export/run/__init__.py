"""The ``run`` goal for models and for weights."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from onnx_export.run import models, weights


def rules() -> Iterable[Rule | UnionRule]:
    return (*models.rules(), *weights.rules())
