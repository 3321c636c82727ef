"""Exports a model: the process behind an `onnx_model` target.

    python -m exporters.drivers.build spec.json

Writes OUTPUT.onnx and OUTPUT.manifest.json. See `exporters.drivers.spec` for the request and
`exporters.drivers.process` for the exit status.
"""

from __future__ import annotations

import sys

from exporters.drivers.process import checkpoint_folder, run
from exporters.drivers.spec import Spec


def export(spec: Spec) -> None:
    """Writes the artifact and its manifest."""
    entry = spec.weights
    folder, in_store = checkpoint_folder(entry)
    # Only now, with the guard in place and the weights at hand, what takes seconds to import.
    from exporters.artifact.convert import Request, export
    from exporters.artifact.manifest import Weights
    from weights import Checkpoint

    weights = Weights(entry.target, entry.licence, entry.source, entry.files, in_store)
    export(
        Request(
            target=spec.target,
            exporter=spec["exporter"],
            options=spec["options"],
            opset=spec["opset"],
            checkpoint=Checkpoint.open(folder),
            weights=weights,
        ),
        spec.path("output"),
    )


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], {"export": export}))
