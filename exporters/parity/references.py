"""Reference outputs of an independent implementation, which are stored in a small .npz file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from exporters.errors import ExportError
from exporters.model.exportable import ParityCase
from exporters.parity import arrays


def stored_cases(
    data: Path | None, inputs: Collection[str], outputs: Collection[str]
) -> Iterator[ParityCase]:
    """Yield the cases of an .npz file whose arrays are named ``<case>/<input or output>``.

    A case needs every input and at least one output. Other arrays of the case are ignored.

    Args:
        data: the file.
        inputs: the names of the model's inputs.
        outputs: the names of the model's outputs.

    Raises:
        ExportError: the file cannot be read, or a case lacks an input or all outputs.
    """
    stored_arrays = read_arrays(data)
    for case in dict.fromkeys(name.partition("/")[0] for name in stored_arrays):
        stored = {name.partition("/")[2] for name in stored_arrays if name.startswith(f"{case}/")}
        missing = sorted(set(inputs) - stored)
        if missing or not stored & set(outputs):
            lacks = ", ".join(missing) or f"every output ({', '.join(outputs)})"
            raise ExportError(
                f"{data}: case {case} lacks {lacks}: run the script that writes the file again."
            )
        yield ParityCase(
            case,
            {name: stored_arrays[f"{case}/{name}"] for name in inputs},
            {name: stored_arrays[f"{case}/{name}"] for name in outputs if name in stored},
        )


def read_arrays(data: Path | None) -> dict[str, np.ndarray]:
    """Return every array of an .npz file, by name.

    Raises:
        ExportError: no file was given, there is no such file, or it is damaged.
    """
    if data is None:
        raise ExportError(
            "this reference compares with stored outputs, and no data was given. Set `data` of the "
            "test, or --data, to the .npz file of the checkpoint."
        )
    return arrays.read_arrays(data)
