"""The driver that exports a model: the process behind an ``onnx_model`` target.

    python -m exporters.drivers.build spec.json

It performs an ``exporters.drivers.request.Export``: it writes the artifact NAME.onnx, and
NAME.manifest.json beside it. See ``exporters.drivers.process`` for the exit status.
"""

from __future__ import annotations

import sys
from pathlib import Path

from exporters.drivers import hermetic
from exporters.drivers.process import Action, checkpoint_folder, pins_of, run
from exporters.drivers.request import Export


def export(request: Export) -> None:
    """Write the artifact and its manifest."""
    folder, in_store = checkpoint_folder(request.weights)
    # These take seconds to import, so they wait until the guard is set and the weights are there.
    from exporters.artifact.convert import Request, convert, write
    from exporters.artifact.layouts import LAYOUTS
    from exporters.artifact.manifest import Weights
    from weights import Checkpoint

    described = Weights(
        request.weights.target,
        request.weights.licence,
        request.weights.source,
        pins_of(request.weights.files),
        in_store,
    )
    wanted = Request(
        target=request.target,
        exporter=request.exporter,
        options=request.options,
        opset=request.opset,
        checkpoint=Checkpoint.open(folder),
        weights=described,
        layout=LAYOUTS[request.layout],
    )
    output = Path(request.output)
    model = convert(wanted, output.stem)
    checkpoint_folder(request.weights)  # so that what was read is what the request says
    hermetic.verify()  # so that nothing is written by code that swallowed a refusal
    write(wanted, model, output)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Action(Export, export)))
