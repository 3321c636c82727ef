"""Reference outputs of an independent implementation, stored in a small .npz."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from exporters.artifact.exportable import ParityCase
from exporters.errors import ExportError


def stored_cases(
    data: Path | None, inputs: Collection[str], outputs: Collection[str]
) -> Iterator[ParityCase]:
    """The cases of an .npz whose arrays are named `<case>/<input or output>`.

    A case needs every input and at least one output; what else is stored under it is passed over.

    Raises:
        ExportError: the file cannot be read, or a case lacks something.
    """
    arrays = read_arrays(data)
    for case in dict.fromkeys(name.partition("/")[0] for name in arrays):
        stored = {name.partition("/")[2] for name in arrays if name.startswith(f"{case}/")}
        missing = sorted(set(inputs) - stored)
        if missing or not stored & set(outputs):
            lacks = ", ".join(missing) or f"every output ({', '.join(outputs)})"
            raise ExportError(f"{data}: case {case} lacks {lacks}: run the file's maker again.")
        yield ParityCase(
            case,
            {name: arrays[f"{case}/{name}"] for name in inputs},
            {name: arrays[f"{case}/{name}"] for name in outputs if name in stored},
        )


def read_arrays(data: Path | None) -> dict[str, np.ndarray]:
    """Every array of an .npz, by name.

    Raises:
        ExportError: no file was given, there is no such file, or it is damaged.
    """
    if data is None:
        raise ExportError(
            "this reference compares with stored outputs, and no data was given: set the test's "
            "data to the .npz that lies with the checkpoint's fixtures."
        )
    try:
        with data.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise ValueError("it is no zip archive")
            stream.seek(0)
            archive = np.load(stream, allow_pickle=False)
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ExportError(
            f"{data} cannot be read as an .npz ({error}): restore it, or run its maker again."
        ) from error
