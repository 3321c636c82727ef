"""Running ``place.py``, the script that lays files out and describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.core.goals.run import RunRequest
from pants.engine.fs import Digest
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Rule, ScriptsPython, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.runtime import WEIGHTS_CACHE, WEIGHTS_STORE
from onnx_export.script import SCRIPT, script

_MODULES = "modules"


@dataclass(frozen=True)
class SummaryRequest:
    module: str


@dataclass(frozen=True)
class SummaryModule:
    """The sources of the module that renders summaries, and the folders they are imported from."""

    digest: Digest
    roots: tuple[str, ...]


@rule(desc="Find the summary's module", level=LogLevel.DEBUG)
async def find_summary(request: SummaryRequest, python_setup: PythonSetup) -> SummaryModule:
    owners = await compat.owners_of_module(request.module, python_setup.default_resolve)
    if len(owners.unambiguous) != 1:
        raise OnnxExportError(
            f"The option [onnx-export].summary names the module {request.module!r}, which must "
            "have exactly one owner. Let one `python_sources` target own its file."
        )
    targets = await compat.targets_of(owners.unambiguous)
    closure = await compat.closure_of(owners.unambiguous[0])
    sources = await compat.python_sources_of((*targets, *closure))
    return SummaryModule(
        await compat.prefixed(sources.source_files.snapshot.digest, _MODULES),
        tuple(f"{_MODULES}/{root}" for root in sources.source_roots),
    )


async def placing(
    python: ScriptsPython, request: Mapping[str, Any], *digests: Digest
) -> RunRequest:
    """Return a run of the script.

    Args:
        python: the interpreter.
        request: the request, which ``place.py`` describes.
        digests: the files in the script's sandbox.
    """
    own = await compat.digest_of(script(request))
    return RunRequest(
        digest=await compat.merged((own, *digests)),
        args=(python.path, "-IB", f"{{chroot}}/{SCRIPT}", "{chroot}"),
        append_only_caches={WEIGHTS_CACHE: WEIGHTS_STORE},
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
