"""The driver that compares an artifact with a reference: the process behind ``onnx_parity_test``.

    python -m exporters.drivers.parity spec.json

It performs an ``exporters.drivers.request.Parity``. See ``exporters.drivers.process`` for the exit
status.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from exporters.drivers.process import Action, checkpoint_folder, run
from exporters.drivers.request import Parity


def test(request: Parity) -> None:
    """Compare the artifact with its reference, and write the report.

    Raises:
        ExportError: a case disagrees.
    """
    folder, _ = checkpoint_folder(request.weights)
    # These take seconds to import, so they wait until the guard is set and the weights are there.
    from exporters.parity.definition import ParityTest
    from exporters.parity.verify import verify
    from weights import Checkpoint

    outcomes = verify(
        ParityTest(
            target=request.target,
            model=Path(request.model),
            layout=request.layout,
            exporter=request.exporter,
            options=request.options,
            reference=request.reference,
            data=None if request.data is None else Path(request.data),
            provider=request.execution_provider,
            atol=request.atol,
            rtol=request.rtol,
        ),
        Checkpoint.open(folder),
        lambda line: print(line, flush=True),
    )
    report = {
        "target": request.target,
        "execution_provider": request.execution_provider,
        "cases": {each.case.name: dict(each.errors) for each in outcomes},
    }
    Path(request.report).parent.mkdir(parents=True, exist_ok=True)
    Path(request.report).write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Action(Parity, test)))
