"""Targets that a goal leaves out, each with a warning in every run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.util.logging import LogLevel

from onnx_export.compat import Rule, RunId, collect_rules, rule

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SkipRequest:
    """The target that is left out, and the reason, as a sentence without its first capital."""

    address: Address
    reason: str


@dataclass(frozen=True)
class Skipped:
    """A sign that the warning was given."""


@rule(desc="Skip a target", level=LogLevel.DEBUG)
async def skip(request: SkipRequest, run_id: RunId) -> Skipped:
    # The rule depends on the id of the run so that every run warns, and not only the first one.
    logger.warning(f"SKIPPED {request.address}: {request.reason}")
    return Skipped()


def rules() -> Iterable[Rule]:
    return collect_rules()
