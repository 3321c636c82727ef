"""``python -m jax2onnx MODEL``: report what an ONNX model holds and what a runtime lacks for it."""

import argparse
import sys
from collections.abc import Sequence

from jax2onnx import __version__
from jax2onnx.checks.report import report
from jax2onnx.errors import Jax2OnnxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report of a model.

    Args:
        arguments: The command line; ``sys.argv`` by default.

    Returns:
        0 if the runtime has a kernel for each node, as far as is known, and 1 otherwise.
    """
    parser = argparse.ArgumentParser(prog="python -m jax2onnx")
    parser.description = "Report what an ONNX model holds and what a runtime lacks for it."
    parser.add_argument("model", help="an .onnx file")
    parser.add_argument(
        "--target", default="cpu", help="the runtime; cpu is ONNX Runtime's CPU provider"
    )
    parser.add_argument("--version", action="version", version=f"jax2onnx {__version__}")
    options = parser.parse_args(arguments)
    try:
        found = report(options.model, options.target)
    except Jax2OnnxError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print(found)
    return 0 if found.runs else 1


if __name__ == "__main__":
    sys.exit(main())
