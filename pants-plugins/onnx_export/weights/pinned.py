"""``pinned_weights``: weights outside the repository, which a digest file pins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError, UnpinnedWeightsError
from onnx_export.request import Fetch, File, RequestError, files_from_json, to_json
from onnx_export.runtime import WEIGHTS_STORE, Action, Runtime, RuntimeRequest
from onnx_export.subsystem import OnnxExport
from onnx_export.weights.base import Weights, WeightsFieldSet, json_of
from onnx_export.weights.target_types import PinsField, WeightsUrlField


@dataclass(frozen=True)
class PinnedWeightsFieldSet(WeightsFieldSet):
    required_fields = (PinsField,)

    pins: PinsField
    url: WeightsUrlField


@rule(desc="Read pins", level=LogLevel.DEBUG)
async def pinned_weights(field_set: PinnedWeightsFieldSet, options: OnnxExport) -> Weights:
    exists = bool((await compat.sources_of(field_set.pins)).snapshot.files)
    pins = await json_of(field_set.pins, field_set.address) if exists else {"files": []}
    if pins.get("files") == []:
        origin = field_set.url.value or pins.get("origin") or "WEIGHTS"
        raise UnpinnedWeightsError(
            f"{field_set.address} is not pinned: {field_set.pins.file_path} "
            f"{'lists no files' if exists else 'does not exist'}. Write it with `python -m "
            f"exporters pin {origin} -o {field_set.pins.file_path}`; WEIGHTS is a folder or "
            f"hf://org/repo@revision. These weights come from {field_set.provenance.value}."
        )
    files = _pinned_files(pins, f"{field_set.address}: {field_set.pins.file_path}")
    runtime = await Get(Runtime, RuntimeRequest(field_set.address, options.resolve))
    size = sum(file.size for file in files)
    supply = Action(
        description=f"Fetch the weights {field_set.address} ({size:,} bytes)",
        runtime=runtime,
        module=options.weights_driver,
        request=to_json(
            Fetch(
                target=field_set.address.spec,
                url=field_set.url.value or pins.get("origin"),
                files=files,
                store=WEIGHTS_STORE,
                folders=tuple(options.weights_folders),
            )
        ),
        inherited=tuple(options.weights_env_vars),
    )
    return field_set.weights(files, supply=supply)


def _pinned_files(pins: Mapping[str, Any], where: str) -> tuple[File, ...]:
    remedy = "Write the file with `python -m exporters pin`."
    try:
        files = files_from_json(json.dumps(pins.get("files")))
    except RequestError as error:
        raise OnnxExportError(f"{where}: {error}. {remedy}") from None
    for number, file in enumerate(files):
        wrong = (
            "name: a plain file name is needed, or a path of plain names"
            if not all(re.fullmatch(r"(?!\.\.?$)[^/\\\0]+", part) for part in file.name.split("/"))
            else "sha256: 64 hexadecimal digits are needed"
            if not re.fullmatch("[0-9a-f]{64}", file.sha256)
            else "size: a number of bytes is needed"
            if file.size < 0
            else None
        )
        if wrong:
            raise OnnxExportError(f"{where}: files[{number}].{wrong}, not {file}. {remedy}")
    return files


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(WeightsFieldSet, PinnedWeightsFieldSet))
