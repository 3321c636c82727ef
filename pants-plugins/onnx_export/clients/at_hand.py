"""Looking for the installation of a client on this machine.

A process finds an installation through a named cache, under the digest of its lockfile, so that no
cache key holds a path of this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.fs import PathGlobs
from pants.engine.process import Process, ProcessCacheScope
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.clients.target_types import Installation
from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.subsystem import OnnxExport

CLIENTS_CACHE = "onnx_clients"
CLIENTS = "__cache/clients"

_DIGITS = 16
_LINK = f"""\
[ -x "$1/bin/$2" ] || exit 1
[ -d {CLIENTS} ] || mkdir -p "$(readlink {CLIENTS})"
ln -sfn "$1" "{CLIENTS}/$3"
"""


@dataclass(frozen=True)
class AtHandRequest:
    installation: Installation


@dataclass(frozen=True)
class AtHand:
    """An installation on this machine.

    Attributes:
        name: its name below ``CLIENTS``, which holds the digest of its lockfile.
        reason: the reason why it is not on this machine, or "".
    """

    name: str
    reason: str


@rule(desc="Look for a client", level=LogLevel.DEBUG)
async def find_client(request: AtHandRequest, options: OnnxExport) -> AtHand:
    wanted = request.installation
    entries = await compat.entries_of(await compat.files_at(PathGlobs([wanted.lock])))
    if not entries:
        raise OnnxExportError(
            f"{wanted.lock} pins the packages of clients, and there is no such file."
        )
    name = f"{wanted.name}-{entries[0].file_digest.fingerprint[:_DIGITS]}"
    variables = await compat.environment_variables(["HOME", "XDG_CACHE_HOME"])
    cache = variables.get("XDG_CACHE_HOME") or f"{variables.get('HOME', '')}/.cache"
    folder = options.clients_folder or f"{cache}/onnx-exporters/clients"
    result = await compat.execute(
        Process(
            ("/bin/sh", "-c", _LINK, "sh", f"{folder}/{name}", wanted.interpreter, name),
            env={"PATH": "/usr/bin:/bin"},
            description="Look for a client",
            level=LogLevel.DEBUG,
            append_only_caches={CLIENTS_CACHE: CLIENTS},
            cache_scope=ProcessCacheScope.PER_SESSION,
        )
    )
    if result.exit_code == 0:
        return AtHand(name, "")
    return AtHand(
        name,
        f"the packages of {wanted.lock} are not installed on this machine. Install them: "
        f"build-support/install_clients {wanted.name}",
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
