"""The command ``pin``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.artifact.summary import size
from exporters.cli import locate
from exporters.cli.options import FILE


@click.command()
@click.argument("source")
@click.option("-o", "--output", type=FILE, help="The digest file to write. [default: print it]")
def pin(source: str, output: Path | None) -> None:
    """Write the digest file of SOURCE: a checkpoint's folder, or hf://org/repo@revision.

    A token for a private repository is taken from HF_TOKEN.
    """
    pins = locate.pin(source)
    if output is None:
        click.echo(pins.dumps(), nl=False)
    else:
        pins.write(output)
        click.echo(f"{output}  {len(pins.files)} files, {size(pins.size)}")
