"""The command line, as ``python -m exporters``."""

from exporters.cli.main import cli

cli(prog_name="python -m exporters")
