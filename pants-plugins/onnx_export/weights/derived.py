"""``derived_weights``: weights that a function makes from other weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.fs import EMPTY_DIGEST
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, MultiGet, Rule, collect_rules, rule
from onnx_export.request import Derive, to_json
from onnx_export.runtime import OUTPUT, WEIGHTS_STORE, Action, Runtime, RuntimeRequest
from onnx_export.subsystem import OnnxExport
from onnx_export.weights.base import Weights, WeightsFieldSet, WeightsRequest
from onnx_export.weights.made import made_by
from onnx_export.weights.target_types import DerivedFromField, DerivingFunctionField

_FOLDER = "__weights/0"


@dataclass(frozen=True)
class DerivedWeightsFieldSet(WeightsFieldSet):
    required_fields = (DerivingFunctionField, DerivedFromField)

    function: DerivingFunctionField
    derived_from: DerivedFromField


@rule(desc="Derive weights", level=LogLevel.DEBUG)
async def derived_weights(field_set: DerivedWeightsFieldSet, options: OnnxExport) -> Weights:
    origin = f"The {field_set.derived_from.alias!r} field of {field_set.address}"
    runtime, original = await MultiGet(
        Get(Runtime, RuntimeRequest(field_set.address, options.resolve)),
        Get(Weights, WeightsRequest(field_set.derived_from.inputs, origin)),
    )
    action = Action(
        description=f"Derive the weights {field_set.address}",
        runtime=runtime,
        module=options.weights_driver,
        request=to_json(
            Derive(
                target=field_set.address.spec,
                function=field_set.function.value,
                weights=original.described(_FOLDER),
                output=OUTPUT,
                store=WEIGHTS_STORE,
                store_above=options.by_reference_above,
            )
        ),
        inputs=await compat.prefixed(original.digest or EMPTY_DIGEST, _FOLDER),
        supplies=original.supplies,
    )
    return await made_by(action, field_set)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(WeightsFieldSet, DerivedWeightsFieldSet))
