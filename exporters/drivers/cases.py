"""The driver that computes what clients are compared with: the process behind ``onnx_client_test``.

    python -m exporters.drivers.cases spec.json

It performs a ``request.Cases``: it writes the cases of a reference as JSON, which
clients in any language read. See ``exporters.drivers.process`` for the exit status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from exporters.drivers.process import Action, checkpoint_folder, run
from exporters.drivers.request import Cases
from exporters.errors import ExportError
from weights.files.atomic import atomic_file


def write(request: Cases) -> None:
    """Write the cases: name, texts, and inputs and outputs by name, each flat with its shape.

    Raises:
        ExportError: there is no case, or an expected value is not finite.
    """
    folder, _ = checkpoint_folder(request.weights)
    # These take seconds to import, so they wait until the guard is set and the weights are there.
    from exporters.functions import no_exit
    from exporters.parity.verify import cases_of
    from weights import Checkpoint

    data = None if request.data is None else Path(request.data)
    with no_exit(request.reference):
        cases = [
            {
                "name": case.name,
                "texts": list(case.texts),
                "inputs": _described(case.inputs),
                "outputs": _described(case.outputs),
            }
            for case in cases_of(
                request.reference, request.exporter, request.options, Checkpoint.open(folder), data
            )
        ]
    if not cases:
        raise ExportError(f"{request.target}: {request.reference} yields no case.")
    checkpoint_folder(request.weights)  # so that what was read is what the request says
    with atomic_file(Path(request.output)) as file:
        try:
            file.write(json.dumps({"cases": cases}, allow_nan=False).encode())
        except ValueError as error:
            raise ExportError(
                f"{request.target}: {request.reference} expects a value that is not finite."
            ) from error


def _described(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {
        name: {
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            # A float is written with as many digits as identify it.
            "values": np.asarray(array).reshape(-1).tolist(),
        }
        for name, array in arrays.items()
    }


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Action(Cases, write)))
