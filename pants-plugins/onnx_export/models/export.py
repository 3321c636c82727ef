"""Exporting an ``onnx_model``: the step that every goal shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pants.core.goals.package import PackageFieldSet
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Snapshot
from pants.engine.process import ProcessResultMetadata
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import EnvironmentField, Get, MultiGet, Rule, collect_rules, rule
from onnx_export.layouts import LAYOUTS
from onnx_export.models.target_types import (
    ExporterField,
    LayoutField,
    OnnxPathField,
    OpsetField,
    OptionsField,
    ResolveField,
    WeightsField,
)
from onnx_export.request import Export, File, to_json
from onnx_export.runtime import OUTPUT, Action, ActionResult, Runtime, RuntimeRequest
from onnx_export.subsystem import OnnxExport
from onnx_export.weights.base import Weights, WeightsRequest

WEIGHTS_FOLDER = "__weights/0"


@dataclass(frozen=True)
class OnnxModelFieldSet(PackageFieldSet, RunFieldSet):
    required_fields = (ExporterField, WeightsField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    exporter: ExporterField
    weights: WeightsField
    options: OptionsField
    opset: OpsetField
    layout: LayoutField
    resolve: ResolveField
    output_path: OnnxPathField
    environment: EnvironmentField

    def weights_request(self) -> WeightsRequest:
        return WeightsRequest(
            self.weights.inputs, f"The {self.weights.alias!r} field of {self.address}"
        )


@dataclass(frozen=True)
class ExportRequest:
    field_set: OnnxModelFieldSet


@dataclass(frozen=True)
class ExportedModel:
    """An artifact and its manifest.

    Attributes:
        address: the address of the model.
        snapshot: the two files, at their places below the folder of results.
        root: the folder of the model below the folder of results.
        layout: the name of the layout of that folder.
        onnx: the path of the artifact in the snapshot.
        weights: the weights that the artifact was made from.
        metadata: how and where the process ran.
    """

    address: Address
    snapshot: Snapshot
    root: str
    layout: str
    onnx: str
    weights: Weights
    metadata: ProcessResultMetadata = field(compare=False)

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.onnx).parent)

    @property
    def places(self) -> Mapping[str, str]:
        """The path of each file of the weights in the folder of the model, by its name."""
        names = [file.name for file in self.weights.files]
        return LAYOUTS[self.layout].places(PurePosixPath(self.onnx).name, names)

    @property
    def placed(self) -> tuple[File, ...]:
        """The files of the weights that belong into the folder of the model."""
        places = self.places
        return tuple(file for file in self.weights.files if file.name in places)

    @property
    def manifest(self) -> str:
        return str(PurePosixPath(self.onnx).with_suffix(".manifest.json"))


@rule(desc="Export a model to ONNX", level=LogLevel.DEBUG)
async def export_model(request: ExportRequest, options: OnnxExport) -> ExportedModel:
    model = request.field_set
    runtime, weights = await MultiGet(
        Get(Runtime, RuntimeRequest(model.address, model.resolve.value or options.resolve)),
        Get(Weights, WeightsRequest, model.weights_request()),
    )
    path = PurePosixPath(model.output_path.path)
    layout = LAYOUTS[model.layout.value]
    onnx = path.parent / layout.artifact(path.stem)
    action = Action(
        description=f"Export {model.address} to ONNX",
        runtime=runtime,
        module=options.driver,
        request=to_json(
            Export(
                target=model.address.spec,
                exporter=model.exporter.value,
                options=model.options.parsed(),
                weights=weights.described(WEIGHTS_FOLDER),
                opset=model.opset.value,
                layout=layout.name,
                output=f"{OUTPUT}/{onnx.name}",
            )
        ),
        inputs=await compat.prefixed(weights.digest or EMPTY_DIGEST, WEIGHTS_FOLDER),
        outputs=(onnx.name, onnx.with_suffix(".manifest.json").name),
        supplies=weights.supplies,
    )
    result = await Get(ActionResult, Action, action)
    made = await compat.stripped(result.output_or_raise(action), OUTPUT)
    placed = await compat.prefixed(made, str(onnx.parent))
    return ExportedModel(
        model.address,
        await compat.snapshot_of(placed),
        str(path.parent),
        layout.name,
        str(onnx),
        weights,
        result.process.metadata,
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
