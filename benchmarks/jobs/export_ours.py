"""Export a checkpoint by reference, and print the CPU seconds.

Arguments: FAMILY CHECKPOINT OUTPUT [OPTIONS].
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from exporters import functions
from exporters.artifact.convert import Request, export
from exporters.artifact.manifest import Weights
from weights import Checkpoint


def main(family: str, folder: str, output: str, options: str = "{}") -> None:
    """Import the family, then measure the export."""
    exporter = f"exporters.families.{family}.export:export"
    functions.find(exporter, "exporter")
    start = time.process_time()
    weights = Weights("benchmarks:weights", "Apache-2.0", "random numbers", ())
    checkpoint = Checkpoint.open(Path(folder))
    request = Request("benchmarks:model", exporter, json.loads(options), 23, checkpoint, weights)
    export(request, Path(output))
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
