"""The ``test`` goal for an ``onnx_client_test``.

The cases of the reference are computed once for all clients. Then the client runs in its own
environment, and sees nothing but the folder of the model, the cases and a script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pants.core.goals.test import TestRequest, TestResult, TestSubsystem
from pants.engine.fs import Digest, PathGlobs
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.clients.at_hand import CLIENTS as CLIENTS_FOLDER
from onnx_export.clients.at_hand import CLIENTS_CACHE, AtHand, AtHandRequest
from onnx_export.clients.target_types import CLIENTS, ClientField
from onnx_export.compat import Get, Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError, UnpinnedWeightsError
from onnx_export.models.export import WEIGHTS_FOLDER, ExportedModel
from onnx_export.parity.subject import SubjectFieldSet, failure, subject_of
from onnx_export.parity.target_types import ParityModelField
from onnx_export.request import UNAVAILABLE, Cases, to_json
from onnx_export.runtime import OUTPUT, WEIGHTS_CACHE, WEIGHTS_STORE, Action, ActionResult
from onnx_export.skipping import Skipped, SkipRequest
from onnx_export.subsystem import OnnxExport

_MODEL_FOLDER = "__model"
_CASES = "cases.json"
_REQUEST = "client.json"
_LINKS = "links"
_SCRIPTS = {"python": "run_python.py", "node": "run_node.mjs"}

# Weights outside Pants' store are linked from the named cache to their places. ONNX Runtime accepts
# hard links, and no symbolic links out of a folder.
_START = f"""\
while read -r digest place; do
  mkdir -p "$(dirname "$place")"
  from={WEIGHTS_STORE}/sha256/$digest
  ln "$from" "$place" 2>/dev/null || cp "$from" "$place" || exit {UNAVAILABLE}
done < {_LINKS}
CLIENT_HOME=$(cd "{CLIENTS_FOLDER}/$1" && pwd -P) || exit {UNAVAILABLE}
export CLIENT_HOME HOME="$PWD/home"
mkdir home
exec "$CLIENT_HOME/bin/$2" "$3" {_REQUEST}
"""


@dataclass(frozen=True)
class ClientFieldSet(SubjectFieldSet):
    required_fields = (ClientField, ParityModelField)

    client: ClientField


class ClientRequest(TestRequest):
    tool_subsystem = OnnxExport  # type: ignore[assignment]  # an option is a descriptor
    field_set_type = ClientFieldSet


@dataclass(frozen=True)
class ClientProcessRequest:
    test: ClientFieldSet
    installation: str
    timeout_seconds: int | None
    force: bool


async def _model_folder(model: ExportedModel) -> tuple[Digest, str]:
    """Return the folder of a model, and what ``_START`` links into it, a line for each file."""
    own = await compat.prefixed(
        await compat.stripped(model.snapshot.digest, model.root), _MODEL_FOLDER
    )
    places = {name: f"{_MODEL_FOLDER}/{place}" for name, place in model.places.items()}
    if model.weights.digest is None:
        return own, "".join(f"{file.sha256} {places[file.name]}\n" for file in model.placed)
    weights = await compat.renamed(model.weights.digest, places)
    return await compat.merged((own, weights)), ""


@rule(desc="Run a client", level=LogLevel.DEBUG)
async def run_client(request: ClientProcessRequest, options: OnnxExport) -> FallibleProcessResult:
    test = request.test
    subject = await subject_of(test, options.resolve)
    model, exported = subject.model, subject.exported
    action = Action(
        # No part of the request names the test, so that the tests of all clients share the cases.
        description=f"Compute the cases of {test.reference.value}",
        runtime=subject.runtime,
        module=options.cases_driver,
        request=to_json(
            Cases(
                target=model.address.spec,
                reference=test.reference.value,
                exporter=model.exporter.value,
                options=model.options.parsed(),
                weights=subject.weights.described(WEIGHTS_FOLDER),
                data=subject.data,
                output=f"{OUTPUT}/{_CASES}",
            )
        ),
        inputs=subject.inputs,
        outputs=(_CASES,),
        supplies=subject.weights.supplies,
    )
    cases = (await Get(ActionResult, Action, action)).output_or_raise(action)
    interpreter = CLIENTS[test.client.value].interpreter
    script = f"{options.clients_scripts}/{_SCRIPTS[interpreter]}"
    folder, links = await _model_folder(exported)
    described = {
        "client": test.client.value,
        "folder": _MODEL_FOLDER,
        "artifact": str(PurePosixPath(exported.onnx).relative_to(exported.root)),
        "cases": _CASES,
        "atol": test.atol.value,
        "rtol": test.rtol.value,
    }
    own = await compat.digest_of({_REQUEST: json.dumps(described).encode(), _LINKS: links.encode()})
    inputs = await compat.merged(
        (
            own,
            folder,
            await compat.stripped(cases, OUTPUT),
            await compat.files_at(PathGlobs([script])),
        )
    )
    return await compat.execute(
        Process(
            ("/bin/sh", "-c", _START, "sh", request.installation, interpreter, script),
            description=f"Test {test.address}",
            level=LogLevel.DEBUG,
            input_digest=inputs,
            env={
                "PATH": "/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "TZ": "UTC",
                "HF_HUB_OFFLINE": "1",
                "TRANSFORMERS_OFFLINE": "1",
            },
            append_only_caches={CLIENTS_CACHE: CLIENTS_FOLDER, WEIGHTS_CACHE: WEIGHTS_STORE},
            timeout_seconds=request.timeout_seconds,
            cache_scope=(
                ProcessCacheScope.PER_SESSION if request.force else ProcessCacheScope.SUCCESSFUL
            ),
        )
    )


@rule(desc="Run a client test", level=LogLevel.DEBUG)
async def run_client_test(
    batch: ClientRequest.Batch[ClientFieldSet, Any],
    options: OnnxExport,
    test_options: TestSubsystem,
) -> TestResult:
    test = batch.single_element
    client = test.client.value
    found = await Get(AtHand, AtHandRequest(CLIENTS[client]))
    if found.reason and client in options.required_clients:
        reason = f"it needs {client} ([onnx-export].required_clients), and {found.reason}"
        failed = await compat.execute(failure(test.address, reason))
        return compat.test_result(failed, test.address, test_options.output)
    if found.reason:
        reason = f"it needs {client}, and {found.reason}"
        await Get(Skipped, SkipRequest(test.address, reason))
        return TestResult.no_tests_found(test.address, test_options.output)
    request = ClientProcessRequest(
        test,
        found.name,
        test.timeout.calculate_from_global_options(test_options),
        force=test_options.force,
    )
    try:
        result = await Get(FallibleProcessResult, ClientProcessRequest, request)
    except UnpinnedWeightsError as error:
        await Get(Skipped, SkipRequest(test.address, str(error)))
        return TestResult.no_tests_found(test.address, test_options.output)
    except OnnxExportError as error:  # A model that cannot be exported fails its own tests only.
        result = await compat.execute(failure(test.address, str(error)))
    if result.exit_code == UNAVAILABLE:
        message = "weights are not on this machine. Run the target of the weights, and try again."
        result = await compat.execute(failure(test.address, message))
    return compat.test_result(result, test.address, test_options.output)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *ClientRequest.rules())
