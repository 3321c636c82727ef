"""The summary of an artifact: a few lines for people, made from its manifest.

The build prints the summary of a cached artifact in the Python of Pants, without the environment
that made the artifact. So this module imports the standard library alone and keeps to Python 3.9.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ORT_FOLDER_OPTION = "session.model_external_initializers_file_folder_path"
"""The session option of ONNX Runtime (1.24 and later) that names the folder of external data."""

_SHOWN_OPERATORS = 5


def render(
    manifest: Mapping[str, Any],
    artifact: Path,
    *,
    weights_folder: Path | None = None,
    cached: bool | None = None,
) -> str:
    """Return the summary of an artifact.

    Args:
        manifest: the manifest of the artifact.
        artifact: the path of the artifact.
        weights_folder: the folder of its weights, if that is not the artifact's own folder.
        cached: whether the artifact came from the cache or was built now; None if that is unknown.
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
    """Return lines of Python that load the artifact with its weights where they lie."""
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
    """Return a number of bytes with its unit: ``1.23 MB`` for 1234567."""
    return _scaled(count, (" B", " kB", " MB", " GB", " TB"))


def quantity(count: int) -> str:
    """Return a count in short: ``20.9 G`` for 20914757184, and all digits below 10,000."""
    return f"{count:,}" if count < 10_000 else _scaled(count, ("", " k", " M", " G", " T"))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    """Round to three digits; 999.7 kB becomes 1 MB."""
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
