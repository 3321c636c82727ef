"""`python -m exporters`: the command line."""

from exporters.cli import cli

cli(prog_name="python -m exporters")
