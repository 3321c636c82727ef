"""The command line, as ``python -m exporters``."""

import signal
import sys
from io import TextIOWrapper
from types import FrameType

from exporters.cli.main import cli


def _end(number: int, _: FrameType | None) -> None:
    """End the process as Ctrl-C does, so that unfinished files are removed."""
    raise SystemExit(128 + number)


for _signal in (signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_DFL:  # and not ignored, as under nohup
        signal.signal(_signal, _end)
for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, TextIOWrapper):  # names that the terminal cannot show become escapes
        _stream.reconfigure(errors="backslashreplace")
cli(prog_name="python -m exporters")
