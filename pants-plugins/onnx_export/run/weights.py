"""The ``run`` goal for weights: it fetches or makes the bytes, and prints where they lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.engine.addresses import UnparsedAddressInputs
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export.compat import Get, Rule, RunId, ScriptsPython, collect_rules, rule
from onnx_export.run.placing import placing
from onnx_export.runtime import WEIGHTS_STORE, Supplied, SupplyRequest
from onnx_export.weights.base import Weights, WeightsRequest
from onnx_export.weights.target_types import LicenceField, ProvenanceField


@dataclass(frozen=True)
class RunWeightsFieldSet(RunFieldSet):
    """Any weights target."""

    required_fields = (LicenceField, ProvenanceField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    licence: LicenceField


@rule(desc="Supply weights", level=LogLevel.DEBUG)
async def run_weights(
    field_set: RunWeightsFieldSet, python: ScriptsPython, run_id: RunId
) -> RunRequest:
    address = UnparsedAddressInputs(
        (field_set.address.spec,), owning_address=None, description_of_origin="the `run` goal"
    )
    weights = await Get(Weights, WeightsRequest(address, "The `run` goal"))
    request = {
        **asdict(weights.described("")),
        "folder": weights.repository_folder,
        "store": None,
    }
    if weights.supply:
        supplied = await Get(Supplied, SupplyRequest(weights.supply, run_id))
        request |= {"folder": f"{WEIGHTS_STORE}/{supplied.folder}", "store": WEIGHTS_STORE}
    return await placing(python, request, EMPTY_DIGEST)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *RunWeightsFieldSet.rules())
