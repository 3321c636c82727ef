"""``synthetic_weights``: weights that a process makes from a configuration and a seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export.compat import Get, Rule, collect_rules, rule
from onnx_export.request import Synthesise, to_json
from onnx_export.runtime import OUTPUT, WEIGHTS_STORE, Action, Runtime, RuntimeRequest
from onnx_export.subsystem import OnnxExport
from onnx_export.weights.base import Weights, WeightsFieldSet, json_of
from onnx_export.weights.made import made_by
from onnx_export.weights.target_types import ConfigField, GeneratorField, SeedField


@dataclass(frozen=True)
class SyntheticWeightsFieldSet(WeightsFieldSet):
    required_fields = (GeneratorField,)

    generator: GeneratorField
    config: ConfigField
    seed: SeedField


@rule(desc="Generate weights", level=LogLevel.DEBUG)
async def synthetic_weights(field_set: SyntheticWeightsFieldSet, options: OnnxExport) -> Weights:
    config = await json_of(field_set.config, field_set.address)
    runtime = await Get(Runtime, RuntimeRequest(field_set.address, options.resolve))
    action = Action(
        description=f"Generate the weights {field_set.address}",
        runtime=runtime,
        module=options.weights_driver,
        request=to_json(
            Synthesise(
                target=field_set.address.spec,
                generator=field_set.generator.value,
                config=config,
                seed=field_set.seed.value,
                output=OUTPUT,
                store=WEIGHTS_STORE,
                store_above=options.by_reference_above,
            )
        ),
    )
    return await made_by(action, field_set)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(WeightsFieldSet, SyntheticWeightsFieldSet))
