"""Running a module of the repository in a sandbox, under a key that holds nothing of this machine.

Three things are kept out of the key on purpose, and reached through named caches, which count for
no key:

- the interpreter and the virtual environment. A process finds its environment under the digest of
  the PEX that it was made from, not under a path of this machine;
- the bytes of weights that lie outside the repository;
- the environment variables of whoever runs the build.

So a process may start on a machine that cannot serve it yet. It then exits with `UNAVAILABLE`, and
`perform` brings here what is missing and runs the very same process again. What is in the cache
never needs any of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.util_rules.pex import VenvPex, VenvPexProcess
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, MultiGet, Rule, RunId, collect_rules, rule

UNAVAILABLE = 75  # EX_TEMPFAIL: something that the key leaves out is not on this machine.
OUTPUT = "__out"
WEIGHTS_CACHE = "onnx_weights"
WEIGHTS_STORE = "__cache/weights"
RUNTIMES_CACHE = "onnx_runtimes"
RUNTIMES = "__cache/runtimes"

_CACHES = FrozenDict({WEIGHTS_CACHE: WEIGHTS_STORE, RUNTIMES_CACHE: RUNTIMES})
_ENVIRONMENT = FrozenDict(
    {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "JAX_PLATFORMS": "cpu",
    }
)
# A named cache that was deleted leaves its link behind, dangling, until Pants starts anew.
_START = f"""\
for cache in __cache/*; do
  [ -d "$cache" ] || mkdir -p "$(readlink "$cache")"
done
link={RUNTIMES}/$1
[ -x "$link/bin/python" ] || exit {UNAVAILABLE}
environment=$(cd "$link" && pwd -P)
shift
exec "$environment/bin/python" -m "$@"
"""
_LINK = """\
import os, sys
link = sys.argv[1]
os.makedirs(os.path.realpath(os.path.dirname(link)), exist_ok=True)
os.symlink(os.path.realpath(sys.prefix), f"{link}.{os.getpid()}")
os.replace(f"{link}.{os.getpid()}", link)
"""
# What brings things to this machine must run on every occasion that asks for it, and must not when
# Pants merely looks through what an earlier run asked for, as it does with the scope PER_SESSION.
# So such a process is told the occasion, and its result is remembered.
_OCCASION = "ONNX_EXPORT_OCCASION"
# Part of a process's identity within one run of Pants, but not of its key in the cache: it lets the
# same process run a second time in one run.
_AGAIN_MARK_MILLIS = 1


class OnnxExportError(Exception):
    """A complete message for the user."""


@dataclass(frozen=True)
class RuntimeRequest:
    """The sources behind the target at `address`, under the lock of `resolve`."""

    address: Address
    resolve: str


@dataclass(frozen=True)
class Runtime:
    """First-party sources and a virtual environment to import them in."""

    name: str  # The digest of the environment's PEX: a key, and a file name.
    environment: VenvPex
    sources: Digest
    source_roots: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """`python -m module __spec.json` in a sandbox. Its results appear in the folder `OUTPUT`."""

    description: str
    runtime: Runtime
    module: str
    spec: str
    inputs: Digest = EMPTY_DIGEST
    supplies: tuple[Action, ...] = ()  # What brings back the bytes that are absent.
    environment: FrozenDict[str, str] = field(default_factory=FrozenDict)
    inherited: tuple[str, ...] = ()  # Variables of the user's own environment; only for supplies.
    timeout_seconds: int | None = None
    cache_scope: ProcessCacheScope = ProcessCacheScope.SUCCESSFUL


@dataclass(frozen=True)
class ActionResult:
    """What an action left behind; its exit code is never `UNAVAILABLE`."""

    process: FallibleProcessResult

    def output_or_raise(self, action: Action) -> Digest:
        """The digest of the results; the message of the process if it failed."""
        if self.process.exit_code != 0:
            message = _message(self.process)
            raise OnnxExportError(f"{action.description} failed.\n\n{message}")
        return self.process.output_digest


def check_resolve(resolve: str, origin: str, python_setup: PythonSetup) -> None:
    """Refuse a resolve that there is not."""
    if resolve not in python_setup.resolves:
        raise OnnxExportError(
            f"{origin} names {resolve!r}, but [python].resolves has only: "
            f"{', '.join(sorted(python_setup.resolves))}."
        )


@rule(desc="Prepare a Python environment", level=LogLevel.DEBUG)
async def prepare_runtime(request: RuntimeRequest, python_setup: PythonSetup) -> Runtime:
    origin = f"The 'resolve' field of {request.address} (or the option [onnx-export].resolve)"
    check_resolve(request.resolve, origin, python_setup)
    closure = await compat.closure_of(request.address)
    sources = await compat.python_sources_of(closure)
    environment = await compat.venv_of_resolve(request.resolve)
    pex = await compat.subset_below(environment.digest, environment.pex_filename)
    return Runtime(
        pex.fingerprint,
        environment,
        sources.source_files.snapshot.digest,
        tuple(sources.source_roots),
    )


async def _process(action: Action) -> Process:
    spec = await compat.digest_of({"__spec.json": action.spec.encode()})
    return Process(
        argv=("/bin/sh", "-c", _START, "sh", action.runtime.name, action.module, "__spec.json"),
        description=action.description,
        level=LogLevel.DEBUG,
        input_digest=await compat.merged((spec, action.inputs, action.runtime.sources)),
        env={
            **_ENVIRONMENT,
            **action.environment,
            "PYTHONPATH": ":".join(action.runtime.source_roots),
        },
        output_directories=(OUTPUT,),
        append_only_caches=_CACHES,
        timeout_seconds=action.timeout_seconds,
        cache_scope=action.cache_scope,
    )


@dataclass(frozen=True)
class _LinkRequest:
    runtime: Runtime
    occasion: RunId


@dataclass(frozen=True)
class _Linked:
    """The runtime's environment exists on this machine and is found under its name."""


@rule(desc="Set up a Python environment", level=LogLevel.DEBUG)
async def link_runtime(request: _LinkRequest) -> _Linked:
    process = await compat.process_in_venv(
        VenvPexProcess(
            request.runtime.environment,
            argv=("-c", _LINK, f"{RUNTIMES}/{request.runtime.name}"),
            description="Set up a Python environment",
            level=LogLevel.DEBUG,
            append_only_caches={RUNTIMES_CACHE: RUNTIMES},
            extra_env={_OCCASION: str(request.occasion)},
            cache_scope=ProcessCacheScope.PER_RESTART_SUCCESSFUL,
        )
    )
    result = await compat.execute(process)
    if result.exit_code != 0:
        raise OnnxExportError(f"No Python environment could be set up.\n\n{_message(result)}")
    return _Linked()


@dataclass(frozen=True)
class SupplyRequest:
    """Run the action on this occasion, once, with the variables that it inherits."""

    action: Action
    occasion: RunId


@dataclass(frozen=True)
class Supplied:
    """The bytes are in the store; `folder` is where in it they lie together, under their names."""

    folder: str


@rule(desc="Supply weights", level=LogLevel.DEBUG)
async def supply(request: SupplyRequest) -> Supplied:
    action = request.action
    await Get(_Linked, _LinkRequest(action.runtime, request.occasion))
    process = await _process(action)
    inherited = await compat.environment_variables(action.inherited)
    result = await compat.execute(
        dataclasses.replace(
            process,
            env=FrozenDict({**process.env, **inherited, _OCCASION: str(request.occasion)}),
            cache_scope=ProcessCacheScope.PER_RESTART_SUCCESSFUL,
        )
    )
    ActionResult(result).output_or_raise(action)
    return Supplied(result.stdout.decode().strip())


@rule(desc="Run an action", level=LogLevel.DEBUG)
async def perform(action: Action, run_id: RunId) -> ActionResult:
    process = await _process(action)
    result = await compat.execute(process)
    if result.exit_code != UNAVAILABLE:
        return ActionResult(result)
    await Get(_Linked, _LinkRequest(action.runtime, run_id))
    await MultiGet(Get(Supplied, SupplyRequest(supply, run_id)) for supply in action.supplies)
    again = dataclasses.replace(process, remote_cache_speculation_delay_millis=_AGAIN_MARK_MILLIS)
    result = await compat.execute(again)
    if result.exit_code == UNAVAILABLE:
        raise OnnxExportError(f"{action.description} failed.\n\n{_message(result)}")
    return ActionResult(result)


def _message(result: FallibleProcessResult) -> str:
    parts = (result.stderr, result.stdout)
    text = "\n\n".join(part.decode(errors="replace").strip() for part in parts if part.strip())
    return text or f"The process exited with code {result.exit_code} and said nothing."


def rules() -> Iterable[Rule]:
    return (*collect_rules(), *compat.rules())
