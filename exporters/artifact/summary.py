"""A few lines for people about an artifact, from its manifest.

Standard library only, and fit for any Python from 3.9 on: the build prints a cached artifact's
summary without setting up the environment that made it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ORT_FOLDER_OPTION = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime (>= 1.24) session option: the folder that external data is relative to."""

_SHOWN_OPERATORS = 5


def render(
    manifest: Mapping[str, Any],
    artifact: Path,
    *,
    weights_folder: Path | None = None,
    cached: bool | None = None,
) -> str:
    """The summary of the artifact that now lies at `artifact`.

    `weights_folder` is where its weights lie, when that is not the artifact's own folder; `cached`
    says whether it came from the cache (True) or was built now (False).
    """
    rows: list[tuple[str, str]] = []
    file = manifest["artifact"]
    rows.append(("sha256", file["sha256"]))
    rows.append(("size", f"{size(file['size'])}{_origin(cached)}"))
    rows += _several("inputs", [_value(value) for value in manifest["inputs"]])
    rows += _several("outputs", [_value(value) for value in manifest["outputs"]])
    rows.append(("operators", _operators(manifest)))
    rows.append(("opset", _opset(manifest["opset"])))
    rows.append(("parameters", _parameters(manifest["parameters"])))
    rows += _several("weights", _weights(manifest, artifact, weights_folder))
    rows += _several("licence", _distinct(manifest.get("weights", []), "licence"))
    rows += _several("source", _distinct(manifest.get("weights", []), "source"))
    width = max(len(label) for label, _ in rows)
    lines = [f"{artifact}"]
    lines += [f"  {label:<{width}}  {text}".rstrip() for label, text in rows]
    if weights_folder is not None and manifest["parameters"]["tensors"]:
        lines += ["", *how_to_load(artifact, weights_folder)]
    return "\n".join(lines) + "\n"


def how_to_load(artifact: Path, weights_folder: Path) -> list[str]:
    """Python that opens the artifact with its weights where they are, without copying them."""
    return [
        "  The weights stay where they are. To run the model with them in place:",
        "",
        "      import onnxruntime as ort",
        "      options = ort.SessionOptions()",
        f'      options.add_session_config_entry("{ORT_FOLDER_OPTION}",',
        f'                                       "{weights_folder}")',
        f'      session = ort.InferenceSession("{artifact}", options)',
    ]


def size(count: int) -> str:
    """1234567 -> "1.23 MB"."""
    return _scaled(count, (" B", " kB", " MB", " GB", " TB"))


def quantity(count: int) -> str:
    """20914757184 -> "20.9 G"; below 10,000 exactly."""
    return f"{count:,}" if count < 10_000 else _scaled(count, ("", " k", " M", " G", " T"))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    """To three digits. 999.7 kB rounds to 1 MB."""
    for unit in units[:-1]:
        digits = f"{value:.3g}"
        if float(digits) < 1000:
            return digits + unit
        value /= 1000
    return f"{value:.3g}{units[-1]}"


def _origin(cached: bool | None) -> str:
    return {None: "", True: ", from the cache", False: ", built now"}[cached]


def _value(value: Mapping[str, Any]) -> str:
    shape = "[?]" if value["shape"] is None else f"[{', '.join(map(_dimension, value['shape']))}]"
    return f"{value['name']}  {value['dtype']} {shape}"


def _dimension(dimension: Any) -> str:
    return "?" if dimension is None else str(dimension)


def _operators(manifest: Mapping[str, Any]) -> str:
    counts: dict[str, int] = manifest["operators"]["by_type"]
    named = ", ".join(f"{name} {n}" for name, n in list(counts.items())[:_SHOWN_OPERATORS])
    more = ", ..." if len(counts) > _SHOWN_OPERATORS else ""
    functions = (
        f" in {manifest['functions']} functions and the graph" if manifest["functions"] else ""
    )
    return f"{manifest['operators']['total']}{functions}: {named}{more}"


def _opset(imports: Mapping[str, int]) -> str:
    standard = [str(version) for domain, version in imports.items() if not domain]
    others = [f"{domain} {version}" for domain, version in imports.items() if domain]
    return ", ".join(standard + others)


def _parameters(parameters: Mapping[str, Any]) -> str:
    if not parameters["tensors"]:
        return "none outside the graph"
    return (
        f"{quantity(parameters['elements'])} in {parameters['tensors']:,} tensors "
        f"({', '.join(parameters['dtypes'])}), {size(parameters['bytes'])}"
    )


def _weights(manifest: Mapping[str, Any], artifact: Path, folder: Path | None) -> list[str]:
    files = manifest["parameters"]["files"]
    if not files:
        return []
    if folder is not None:
        where = f"in {folder}{os.sep}"
    elif all((artifact.parent / file).is_file() for file in files):
        where = "beside it"
    else:
        where = "expected beside it"
    shown = files if len(files) <= 2 else [f"{files[0]} ... {files[-1]} ({len(files)} files)"]
    return [f"{', '.join(shown)} {where}"]


def _distinct(weights: list[Mapping[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(each[key] for each in weights))


def _several(label: str, texts: list[str]) -> list[tuple[str, str]]:
    return [(label if i == 0 else "", text) for i, text in enumerate(texts)]
