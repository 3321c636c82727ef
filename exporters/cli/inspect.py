"""The command ``inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.artifact.summary import render
from weights import Checkpoint
from weights.rendering import escaped, rendered


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

    def say(text: str) -> None:
        click.echo(escaped(text) if as_json else rendered(text), nl=False)

    if path.is_dir():
        checkpoint = describe_checkpoint(Checkpoint.open(path))
        say(to_json(checkpoint) if as_json else render_checkpoint(checkpoint, path))
        return
    artifact = describe_artifact(path)
    say(to_json(artifact) if as_json else render(artifact, path))
