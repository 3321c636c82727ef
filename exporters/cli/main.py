"""The command line: what the build does, without the build.

``export``, ``verify`` and ``materialize`` take a checkpoint as WEIGHTS: its folder, a digest file
written by ``pin``, or hf://org/repo@revision.
"""

from __future__ import annotations

from typing import Any

import click

from exporters.cli.export import export
from exporters.cli.generate import generate
from exporters.cli.inspect import inspect
from exporters.cli.materialize import materialize
from exporters.cli.pin import pin
from exporters.cli.verify import verify
from exporters.errors import ExportError
from weights import WeightsError


class _Commands(click.Group):
    """A group of commands that shows the user's mistakes as messages, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ExportError, WeightsError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Make ONNX artifacts from JAX models and safetensors weights."""


for _command in (export, verify, generate, inspect, pin, materialize):
    cli.add_command(_command)
