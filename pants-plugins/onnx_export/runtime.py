"""Running a module of the repository in a sandbox, with a cache key that names no machine.

Three things are kept out of the cache key on purpose. The first two are reached through named
caches, which are not part of any key:

- the interpreter and the virtual environment: a process finds its environment under the digest of
  the PEX that the environment was made from, and not under a path of this machine;
- the bytes of weights that lie outside the repository;
- the environment variables of the user.

So a process may start on a machine that lacks what it needs. It then exits with ``UNAVAILABLE``.
``perform`` brings what is missing to the machine and runs the same process again. A result that is
in the cache needs none of this.
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
from onnx_export.errors import OnnxExportError
from onnx_export.request import UNAVAILABLE

_REQUEST = "__request.json"
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
# A named cache that was deleted leaves a dangling link behind until Pants restarts.
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
_NO_MODULE = "Error while finding module specification for '%s'"  # by `python -m`
# A process that brings something to this machine must run once in every run of Pants that needs it.
# The scope PER_SESSION would run it also when Pants merely revisits what an earlier run needed. So
# the id of the run is part of the process, and the result is remembered.
_OCCASION = "ONNX_EXPORT_OCCASION"
# This number is part of a process's identity within one run of Pants, but not of its cache key. So
# the same process can run a second time in one run.
_AGAIN_MARK_MILLIS = 1


@dataclass(frozen=True)
class RuntimeRequest:
    """The sources behind the target at ``address``, under the lock of ``resolve``."""

    address: Address
    resolve: str


@dataclass(frozen=True)
class Runtime:
    """First-party sources, and a virtual environment to import them in.

    Attributes:
        name: the digest of the environment's PEX, which serves as a key and as a file name.
        resolve: the resolve that the environment is made from, for messages.
        environment: the environment.
        sources: the sources.
        source_roots: the folders that the sources are imported from.
    """

    name: str
    resolve: str
    environment: VenvPex
    sources: Digest
    source_roots: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """A run of ``python -m module __request.json`` in a sandbox.

    Attributes:
        description: the action in a few words, for messages.
        runtime: the sources and the environment.
        module: the driver.
        request: the request as JSON (``onnx_export.request.to_json``).
        inputs: further files in the sandbox.
        outputs: the files in ``OUTPUT`` that the driver writes when it has performed the request.
        supplies: the actions that bring absent bytes to this machine.
        environment: further environment variables, which are part of the cache key.
        inherited: names of the user's environment variables that a supply receives.
        timeout_seconds: the time after which the process is killed, if there is such a limit.
        cache_scope: where the result is cached.
    """

    description: str
    runtime: Runtime
    module: str
    request: str
    inputs: Digest = EMPTY_DIGEST
    outputs: tuple[str, ...] = ()
    supplies: tuple[Action, ...] = ()
    environment: FrozenDict[str, str] = field(default_factory=FrozenDict)
    inherited: tuple[str, ...] = ()
    timeout_seconds: int | None = None
    cache_scope: ProcessCacheScope = ProcessCacheScope.SUCCESSFUL


@dataclass(frozen=True)
class ActionResult:
    """The result of an action. Its exit code is never ``UNAVAILABLE``."""

    process: FallibleProcessResult

    def output_or_raise(self, action: Action) -> Digest:
        """Return the files in ``OUTPUT``, or raise the message of the process if it failed."""
        if self.process.exit_code != 0:
            message = _message(self.process)
            raise OnnxExportError(f"{action.description} failed.\n\n{message}")
        return self.process.output_digest


def check_resolve(resolve: str, origin: str, python_setup: PythonSetup) -> None:
    """Raise an error if there is no such resolve; ``origin`` says who names it."""
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
        request.resolve,
        environment,
        sources.source_files.snapshot.digest,
        tuple(sources.source_roots),
    )


async def _process(action: Action) -> Process:
    request = await compat.digest_of({_REQUEST: action.request.encode()})
    return Process(
        argv=("/bin/sh", "-c", _START, "sh", action.runtime.name, action.module, _REQUEST),
        description=action.description,
        level=LogLevel.DEBUG,
        input_digest=await compat.merged((request, action.inputs, action.runtime.sources)),
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
    """A sign that the runtime's environment exists on this machine, under its name."""


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
        raise OnnxExportError(f"The Python environment could not be set up.\n\n{_message(result)}")
    return _Linked()


@dataclass(frozen=True)
class SupplyRequest:
    """Run an action once on an occasion, with the variables that it inherits."""

    action: Action
    occasion: RunId


@dataclass(frozen=True)
class Supplied:
    """A sign that bytes are in the store. ``folder`` holds them there under their names."""

    folder: str


@rule(desc="Supply weights", level=LogLevel.DEBUG)
async def supply(request: SupplyRequest) -> Supplied:
    action = request.action
    await Get(_Linked, _LinkRequest(action.runtime, request.occasion))
    await MultiGet(
        Get(Supplied, SupplyRequest(needed, request.occasion)) for needed in action.supplies
    )
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


async def _complete(action: Action, result: FallibleProcessResult) -> ActionResult:
    """Return the result of a process that found its driver and, if it succeeded, did its work.

    Code that a target names runs in the process, and may end it (``os._exit(0)``).
    """
    said = result.stderr.decode(errors="replace")
    if result.exit_code != 0 and _NO_MODULE % action.module in said:
        raise OnnxExportError(
            f"{action.description} failed: there is no module {action.module}, neither in this "
            f"repository nor in the packages of the resolve {action.runtime.resolve!r}. Add "
            "`onnx-exporters` to its requirements, and make its lockfile again."
        )
    if result.exit_code == 0 and action.outputs:
        written = (await compat.snapshot_of(result.output_digest)).files
        missing = [name for name in action.outputs if f"{OUTPUT}/{name}" not in written]
        if missing:
            raise OnnxExportError(
                f"{action.description} failed: the process ended with status 0 before it wrote "
                f"{' and '.join(missing)}. Code that it runs must not end the process.\n\n"
                f"{_message(result)}"
            )
    return ActionResult(result)


@rule(desc="Run an action", level=LogLevel.DEBUG)
async def perform(action: Action, run_id: RunId) -> ActionResult:
    process = await _process(action)
    result = await compat.execute(process)
    if result.exit_code != UNAVAILABLE:
        return await _complete(action, result)
    await Get(_Linked, _LinkRequest(action.runtime, run_id))
    await MultiGet(Get(Supplied, SupplyRequest(supply, run_id)) for supply in action.supplies)
    again = dataclasses.replace(process, remote_cache_speculation_delay_millis=_AGAIN_MARK_MILLIS)
    result = await compat.execute(again)
    if result.exit_code == UNAVAILABLE:
        raise OnnxExportError(f"{action.description} failed.\n\n{_message(result)}")
    return await _complete(action, result)


def _message(result: FallibleProcessResult) -> str:
    parts = (result.stderr, result.stdout)
    text = "\n\n".join(part.decode(errors="replace").strip() for part in parts if part.strip())
    return text or f"The process exited with code {result.exit_code} and printed nothing."


def rules() -> Iterable[Rule]:
    return (*collect_rules(), *compat.rules())
