"""Holds an artifact against a reference: the process behind an `onnx_parity_test` target.

    python -m exporters.drivers.parity spec.json

See `exporters.drivers.spec` for the request and `exporters.drivers.process` for the exit status.
"""

from __future__ import annotations

import sys

from exporters.drivers.process import checkpoint_folder, run
from exporters.drivers.spec import Spec
from exporters.parity.hold import Test, hold


def test(spec: Spec) -> None:
    """Performs a request; raises ExportError when a case disagrees."""
    folder, _ = checkpoint_folder(spec.weights)
    from weights import Checkpoint

    hold(
        Test(
            target=spec.target,
            model=spec.path("model"),
            exporter=spec["exporter"],
            options=spec["options"],
            reference=spec["reference"],
            data=None if spec["data"] is None else spec.path("data"),
            provider=spec["execution_provider"],
            atol=spec["atol"],
            rtol=spec["rtol"],
        ),
        Checkpoint.open(folder),
        lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], {"parity": test}))
