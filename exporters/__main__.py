"""The command line: ``python -m exporters`` or, where it is installed, ``onnx-exporters``."""

import signal
import sys
from io import TextIOWrapper
from types import FrameType

from exporters.cli.main import cli


def main(name: str | None = None) -> None:
    """Run the command line.

    Args:
        name: the name of the program in messages; by default that of the script that runs.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # and not ignored, as under nohup
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names that the terminal cannot show become escapes
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name=name)


def _end(number: int, _: FrameType | None) -> None:
    """End the process as Ctrl-C does, so that unfinished files are removed."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main("python -m exporters")
