"""The command ``inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.artifact.summary import render
from weights import Checkpoint


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything, as JSON.")
def inspect(path: Path, as_json: bool) -> None:
    """Describe an artifact (NAME.onnx) or the checkpoint in a folder."""
    # These take seconds to import, which `--help` should not.
    from exporters.artifact.inspection import (
        describe_artifact,
        describe_checkpoint,
        render_checkpoint,
    )
    from exporters.artifact.manifest import to_json

    if path.is_dir():
        checkpoint = describe_checkpoint(Checkpoint.open(path))
        click.echo(
            to_json(checkpoint) if as_json else render_checkpoint(checkpoint, path), nl=False
        )
        return
    artifact = describe_artifact(path)
    click.echo(to_json(artifact) if as_json else render(artifact, path), nl=False)
