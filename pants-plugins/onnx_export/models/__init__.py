"""The ``onnx_model`` target: its fields, its export, and the ``package`` goal."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from onnx_export.models import dependencies, export, package


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *dependencies.rules(),
        *export.rules(),
        *package.rules(),
    )
