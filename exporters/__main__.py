"""`python -m exporters`: the command line."""

from exporters.cli.main import cli

cli(prog_name="python -m exporters")
