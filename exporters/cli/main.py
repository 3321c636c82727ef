"""The command line: what the build does, without the build.

``export``, ``verify`` and ``materialize`` take a checkpoint as WEIGHTS: its folder, a digest file
written by ``pin``, or hf://org/repo@revision.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from exporters import __version__
from exporters.cli import families
from exporters.cli.derive import derive
from exporters.cli.export import export
from exporters.cli.generate import generate
from exporters.cli.inspect import inspect
from exporters.cli.materialize import materialize
from exporters.cli.pin import pin
from exporters.cli.verify import verify
from exporters.errors import ExportError
from weights import WeightsError
from weights.rendering import rendered


class _Commands(click.Group):
    """A group of commands that shows the user's mistakes as messages, without a traceback."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Model families"):
            formatter.write_text(", ".join(families.families()))

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().main(*arguments, **options)
        except OSError as error:  # of an output that click itself writes
            click.echo(f"Error: {_of_system(error)}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ExportError, WeightsError) as error:
            raise click.ClickException(str(error)) from error
        except click.UsageError as error:
            raise click.UsageError(rendered(error.format_message()), error.ctx) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the output went away
                raise
            raise click.ClickException(_of_system(error)) from error
        except MemoryError as error:
            raise click.ClickException(
                "the memory does not suffice. Close other programs, or use a larger machine."
            ) from error


def _of_system(error: OSError) -> str:
    """Return the message for an error of the operating system that no command foresees."""
    what = "the output" if error.filename is None else os.fsdecode(error.filename)
    return rendered(
        f"{what}: {error.strerror or error}. Check the path and its permissions, or choose another "
        "place."
    )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="onnx-exporters %(version)s")
def cli() -> None:
    """Make ONNX artifacts from JAX models and safetensors weights."""


for _command in (export, verify, generate, inspect, pin, derive, materialize):
    cli.add_command(_command)
