"""A Python client of an artifact: it loads the folder of a model as users do, and compares.

    python run_python.py client.json

It runs in an environment of its own, which has the client and none of this repository's packages.
``client.json`` is written by the build; it names the client, the folder of the model, the artifact
in it, the file of cases that ``exporters.drivers.cases`` wrote, and the tolerances. The exit status
is 0 if every case agrees.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Client = Callable[[Any], Arrays]
"""Return the outputs of the model for a case, by name."""


def onnxruntime(folder: Path, artifact: Path) -> Client:
    """Run the artifact in ONNX Runtime, on all its inputs."""
    import onnxruntime as ort  # pants: no-infer-dep

    session = ort.InferenceSession(str(artifact), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return lambda case: dict(zip(names, session.run(None, arrays(case["inputs"])), strict=True))


def optimum(folder: Path, artifact: Path) -> Client:
    """Run the folder in optimum, which knows the names of an encoder's inputs and outputs."""
    from optimum.onnxruntime import ORTModelForFeatureExtraction  # pants: no-infer-dep

    model = ORTModelForFeatureExtraction.from_pretrained(
        str(folder), provider="CPUExecutionProvider", local_files_only=True
    )
    _demand(Path(model.path).samefile(artifact), f"optimum loaded {model.path}, not {artifact}")

    def run(case: Any) -> Arrays:
        return {"last_hidden_state": model(**arrays(case["inputs"])).last_hidden_state}

    return run


def sentence_transformers(folder: Path, artifact: Path) -> Client:
    """Run the folder in sentence-transformers, which must neither export nor use torch's model."""
    import torch  # noqa: TID251  # the client has it  # pants: no-infer-dep
    from sentence_transformers import SentenceTransformer  # pants: no-infer-dep

    def refuse(*_: object, **__: object) -> None:
        raise SystemExit("sentence-transformers exported the model again instead of loading it.")

    torch.onnx.export = refuse
    before = _listing(folder)
    model = SentenceTransformer(
        str(folder),
        backend="onnx",
        local_files_only=True,
        model_kwargs={"provider": "CPUExecutionProvider"},
    )
    loaded = Path(model[0].model.path)
    _demand(loaded.samefile(artifact), f"sentence-transformers loaded {loaded}, not {artifact}")
    weights = sum(each.numel() for each in model.parameters())
    _demand(weights == 0, f"torch holds {weights} parameters, so it computes the model itself")
    _demand(_listing(folder) == before, "sentence-transformers changed the folder of the model")

    def run(case: Any) -> Arrays:
        if not case["texts"]:
            return {}
        return {"sentence_embedding": np.asarray(model.encode(case["texts"]))}

    return run


CLIENTS: Mapping[str, Callable[[Path, Path], Client]] = {
    "onnxruntime": onnxruntime,
    "optimum": optimum,
    "sentence-transformers": sentence_transformers,
}


def arrays(described: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a case by name."""
    return {
        name: np.array(value["values"], value["dtype"]).reshape(value["shape"])
        for name, value in described.items()
    }


def compare(expected: np.ndarray, actual: np.ndarray, atol: float, rtol: float) -> float:
    """Return the largest error, or exit with a message if an element is out of tolerance."""
    _demand(
        actual.shape == expected.shape, f"the shape is {actual.shape} instead of {expected.shape}"
    )
    error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    wrong = ~(error <= atol + rtol * np.abs(expected))  # so that NaN is wrong
    _demand(
        not wrong.any(),
        f"{wrong.sum()} of {wrong.size} elements differ, by up to {error.max():.3g}",
    )
    return float(error.max(initial=0))


def main(arguments: list[str]) -> int:
    """Run every case, and return the exit status."""
    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    folder = Path(request["folder"])
    run = CLIENTS[request["client"]](folder, folder / request["artifact"])
    compared = 0
    for case in json.loads(Path(request["cases"]).read_text("utf-8"))["cases"]:
        found, expected = run(case), arrays(case["outputs"])
        for name in sorted(found.keys() & expected.keys()):
            try:
                error = compare(expected[name], found[name], request["atol"], request["rtol"])
            except SystemExit as failure:
                raise SystemExit(f"{case['name']}: {name}: {failure}") from None
            print(f"  {case['name']}: ok, {name} within {error:.2g}", flush=True)
            compared += 1
    _demand(compared > 0, "the client has no output that a case expects; nothing was compared")
    return 0


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise SystemExit(message)


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted(
        (each.relative_to(folder).as_posix(), each.stat().st_size)
        for each in folder.rglob("*")
        if each.is_file()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
