"""Three requests and one process: ruff on all files, with the settings of pyproject.toml."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.python.lint.ruff.subsystem import Ruff, RuffFieldSet
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.core.goals.fix import FixResult, FixTargetsRequest
from pants.core.goals.fmt import FmtResult, FmtTargetsRequest
from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import Digest, MergeDigests, Snapshot
from pants.engine.process import FallibleProcessResult, Process
from pants.engine.rules import Get, MultiGet, collect_rules, rule
from pants.util.logging import LogLevel
from pants.util.meta import classproperty
from pants.util.strutil import pluralize, strip_v2_chroot_path

logger = logging.getLogger(__name__)


class RuffCheckRequest(LintTargetsRequest):
    """``ruff check``, which also reports what it cannot fix."""

    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # Pants' protocol omits the option's type
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        """Return the name in the summary."""
        return "ruff check"


class RuffFixRequest(FixTargetsRequest):
    """``ruff check --fix``."""

    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # Pants' protocol omits the option's type
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        """Return the name in the summary."""
        return "ruff check --fix"


class RuffFormatRequest(FmtTargetsRequest):
    """``ruff format``; ``./pants lint`` fails if it would change a file."""

    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # Pants' protocol omits the option's type
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        """Return the name in the summary."""
        return "ruff format"


@dataclass(frozen=True)
class RuffProcess:
    """A run of ruff on the files of a snapshot."""

    command: tuple[str, ...]
    snapshot: Snapshot


@rule(level=LogLevel.DEBUG)
async def ruff_process(request: RuffProcess, ruff: Ruff) -> Process:
    """Return the process: the command line, ruff itself and its configuration."""
    files = request.snapshot.files
    ruff_pex, config_files = await MultiGet(
        Get(VenvPex, PexRequest, ruff.to_pex_request()),
        Get(ConfigFiles, ConfigFilesRequest, ruff.config_request(request.snapshot.dirs)),
    )
    input_digest = await Get(
        Digest, MergeDigests((request.snapshot.digest, config_files.snapshot.digest))
    )
    config = (f"--config={ruff.config}",) if ruff.config else ()
    return await Get(
        Process,
        VenvPexProcess(
            ruff_pex,
            argv=(*request.command, "--no-cache", "--force-exclude", *config, *ruff.args, *files),
            input_digest=input_digest,
            output_files=files,
            description=f"Run ruff {' '.join(request.command)} on {pluralize(len(files), 'file')}.",
            level=LogLevel.DEBUG,
        ),
    )


@rule(desc="Lint with ruff check", level=LogLevel.DEBUG)
async def ruff_check(request: RuffCheckRequest.Batch[RuffFieldSet, Any]) -> LintResult:
    """Report the findings of ``ruff check``."""
    sources = await Get(
        SourceFiles, SourceFilesRequest(field_set.source for field_set in request.elements)
    )
    result = await Get(FallibleProcessResult, RuffProcess(("check",), sources.snapshot))
    return LintResult.create(request, result, strip_chroot_path=True)


@rule(desc="Fix with ruff check", level=LogLevel.DEBUG)
async def ruff_fix(request: RuffFixRequest.Batch) -> FixResult:
    """Fix what ruff can fix; ``ruff check`` reports the rest."""
    result = await Get(FallibleProcessResult, RuffProcess(("check", "--fix"), request.snapshot))
    return await FixResult.create(request, result, strip_chroot_path=True)


@rule(desc="Format with ruff format", level=LogLevel.DEBUG)
async def ruff_format(request: RuffFormatRequest.Batch) -> FmtResult:
    """Format the files, except those that do not parse: ``ruff check`` fails on these too."""
    result = await Get(FallibleProcessResult, RuffProcess(("format",), request.snapshot))
    if result.exit_code != 0:
        logger.warning(strip_v2_chroot_path(result.stderr))
    return await FmtResult.create(request, result, strip_chroot_path=True)


def rules() -> Iterable[Any]:
    """Return the rules of this module and those that they need."""
    return [
        *collect_rules(),
        *RuffCheckRequest.rules(),
        *RuffFixRequest.rules(),
        *RuffFormatRequest.rules(),
        *pex.rules(),
    ]
